/** The ground: land and borders of the package `world-atlas` (Natural Earth, public domain), so that no tile server is needed. */

import type { FilterSpecification, StyleSpecification } from "maplibre-gl";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";

import atlasUrl from "world-atlas/countries-50m.json?url";

import { unwrapped } from "./geo";

export type Theme = "light" | "dark";
type Kind = "grid" | "land" | "border";
type Painted = "fill-color" | "fill-outline-color" | "line-color";

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

const TOLERANCE_PX = 0.6; // by how much a simplified coast may be off, at the tile's own zoom

type Atlas = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/**
 * The style without its data: the page shows at once, and the land follows.
 *
 * A graphics card minds none of this, a processor that draws minds all: one source for the whole ground, since each is
 * clipped to its tiles by two passes over the picture; the sea as the page's background, not a layer; the coast as the
 * fill's own outline, a line a stretch in place of triangles; no trail while there is none.
 */
export function style(theme: Theme): StyleSpecification {
  const palette = PALETTES[theme];
  const only = (kind: Kind): FilterSpecification => ["==", ["get", "kind"], kind];
  return {
    version: 8,
    sources: {
      ground: { type: "geojson", data: collection(grid()), tolerance: TOLERANCE_PX, buffer: 16 },
      trail: { type: "geojson", data: collection([]) },
    },
    layers: [
      { id: "grid", type: "line", source: "ground", filter: only("grid"), paint: { "line-color": palette.grid, "line-width": 1 } },
      {
        id: "land",
        type: "fill",
        source: "ground",
        filter: only("land"),
        paint: { "fill-color": palette.land, "fill-outline-color": palette.coast },
      },
      {
        id: "borders",
        type: "line",
        source: "ground",
        filter: only("border"),
        paint: { "line-color": palette.border, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.5, 8, 1.4] },
      },
      {
        id: "trail",
        type: "line",
        source: "trail",
        layout: { "line-cap": "round", "line-join": "round", visibility: "none" },
        paint: { "line-color": ["get", "colour"], "line-width": 2.5, "line-opacity": 0.9 },
      },
    ],
  };
}

/** The colour of what no layer covers. */
export function sea(theme: Theme): string {
  return PALETTES[theme].sea;
}

/** The paint of each layer in a theme, for a map that is there already. */
export function paints(theme: Theme): [layer: string, property: Painted, value: string][] {
  const palette = PALETTES[theme];
  return [
    ["grid", "line-color", palette.grid],
    ["land", "fill-color", palette.land],
    ["land", "fill-outline-color", palette.coast],
    ["borders", "line-color", palette.border],
  ];
}

/** The whole ground as GeoJSON. */
export async function loadGround(): Promise<GeoJSON.FeatureCollection> {
  const response = await fetch(atlasUrl);
  const atlas = (await response.json()) as Atlas;
  const land = feature(atlas, atlas.objects.land).features.map(({ geometry }) => ground("land", outline(geometry)));
  const borders = mesh(atlas, atlas.objects.countries, (a, b) => a !== b);
  return collection([...grid(), ...land, ground("border", borders)]);
}

function outline(land: GeoJSON.Geometry): GeoJSON.Geometry {
  if (land.type !== "MultiPolygon") return land;
  return { ...land, coordinates: land.coordinates.map((rings) => rings.map(unwrapped)) };
}

/** Meridians and parallels each ten degrees: something to hold on to over the sea. */
function grid(): GeoJSON.Feature[] {
  const lines: [number, number][][] = [];
  for (let longitude = -180; longitude < 180; longitude += 10) lines.push([[longitude, -85], [longitude, 85]]);
  for (let latitude = -80; latitude <= 80; latitude += 10) lines.push([[-180, latitude], [180, latitude]]);
  return lines.map((coordinates) => ground("grid", { type: "LineString", coordinates }));
}

function ground(kind: Kind, geometry: GeoJSON.Geometry): GeoJSON.Feature {
  return { type: "Feature", properties: { kind }, geometry };
}

function collection(features: GeoJSON.Feature[]): GeoJSON.FeatureCollection {
  return { type: "FeatureCollection", features };
}
