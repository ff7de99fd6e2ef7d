/** The ground: land and borders of the package `world-atlas` (Natural Earth, public domain), so that no tile server is needed. */

import type { GeoJSONSourceSpecification, StyleSpecification } from "maplibre-gl";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";

import atlasUrl from "world-atlas/countries-50m.json?url";

import { unwrapped } from "./geo";

export type Theme = "light" | "dark";
type Painted = "background-color" | "fill-color" | "line-color";

interface Palette {
  sea: string;
  land: string;
  coast: string;
  border: string;
  grid: string;
}

const PALETTES: Record<Theme, Palette> = {
  light: { sea: "#dfe7ec", land: "#f7f6f2", coast: "#b9c4cb", border: "#cfcdc6", grid: "#d2dce2" },
  dark: { sea: "#0d141b", land: "#18212a", coast: "#33424e", border: "#2a3641", grid: "#141d25" },
};

type Atlas = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/** The style without its data: the page shows at once, and the land follows. */
export function style(theme: Theme): StyleSpecification {
  const palette = PALETTES[theme];
  const empty = (): GeoJSONSourceSpecification => ({ type: "geojson", data: { type: "FeatureCollection", features: [] } });
  return {
    version: 8,
    sources: { land: empty(), borders: empty(), grid: { type: "geojson", data: grid() }, trail: empty() },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": palette.sea } },
      { id: "grid", type: "line", source: "grid", paint: { "line-color": palette.grid, "line-width": 1 } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": palette.land, "fill-antialias": false } },
      { id: "coast", type: "line", source: "land", paint: { "line-color": palette.coast, "line-width": 0.8 } },
      {
        id: "borders",
        type: "line",
        source: "borders",
        paint: { "line-color": palette.border, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.5, 8, 1.4] },
      },
      {
        id: "trail",
        type: "line",
        source: "trail",
        layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": ["get", "colour"], "line-width": 2.5, "line-opacity": 0.9 },
      },
    ],
  };
}

/** The paint of each layer in a theme, for a map that is there already. */
export function paints(theme: Theme): [layer: string, property: Painted, value: string][] {
  const palette = PALETTES[theme];
  return [
    ["sea", "background-color", palette.sea],
    ["grid", "line-color", palette.grid],
    ["land", "fill-color", palette.land],
    ["coast", "line-color", palette.coast],
    ["borders", "line-color", palette.border],
  ];
}

/** Land and borders as GeoJSON. */
export async function loadLand(): Promise<{ land: GeoJSON.GeoJSON; borders: GeoJSON.GeoJSON }> {
  const response = await fetch(atlasUrl);
  const atlas = (await response.json()) as Atlas;
  return {
    land: outline(feature(atlas, atlas.objects.land)),
    borders: mesh(atlas, atlas.objects.countries, (a, b) => a !== b),
  };
}

function outline(land: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
  for (const { geometry } of land.features) {
    if (geometry.type === "MultiPolygon") geometry.coordinates = geometry.coordinates.map((rings) => rings.map(unwrapped));
  }
  return land;
}

/** Meridians and parallels each ten degrees: something to hold on to over the sea. */
function grid(): GeoJSON.FeatureCollection {
  const features: GeoJSON.Feature[] = [];
  const line = (coordinates: [number, number][]) =>
    features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } });
  for (let longitude = -180; longitude < 180; longitude += 10) line([[longitude, -85], [longitude, 85]]);
  for (let latitude = -80; latitude <= 80; latitude += 10) line([[-180, latitude], [180, latitude]]);
  return { type: "FeatureCollection", features };
}
