/**
 * The page put together.
 *
 *     feed (now, or the past) ──► fleet ──► aircraft layer, panel, banner, summary
 *     search, filters, timeline, keys, address ──► what of it is seen
 */

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";

import { type GeoJSONSource, Map as MapView, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";

import { read, type Shared, write } from "./address";
import { AircraftLayer } from "./aircraft-layer";
import { Api, type Position } from "./api";
import { Banner } from "./banner";
import { ramp } from "./colours";
import { Feed, type Told, widened } from "./feed";
import { Filters } from "./filters";
import { Fleet, placeOf } from "./fleet";
import { type Place, unproject } from "./geo";
import { Labels } from "./labels";
import { loadGround, paints, sea, style, type Theme } from "./land";
import { byId, duration, isTyping, number } from "./page";
import { Panel, trailOf } from "./panel";
import { Search } from "./search";
import { Sharpness } from "./sharpness";
import { Timeline } from "./timeline";
import { screenOf, uncovered } from "./view";

const PICK_PX = 16;
const TOUCH_PX = 28; // a finger hides what it points at
const UNCOVER_PX = 36; // between the panel and the selected aircraft
const MOST_RATIO = 2; // of pixels to CSS pixels: beyond, nobody sees more, and a phone draws twice as much
const LOOK_MS = 100; // until it is looked again whether aircraft have moved visibly, where they had not
const TRAIL_EACH_MS = 15_000; // a long track is not asked for each second: what is new is joined on here

class App {
  private readonly shared: Shared = read(location.hash);
  private theme: Theme = this.shared.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  private readonly api = new Api("", historyBase());
  private readonly fleet = new Fleet();
  private readonly pixelRatio = Math.min(devicePixelRatio, MOST_RATIO);
  private readonly map = this.makeMap();
  readonly sharpness = new Sharpness(this.map, this.pixelRatio);
  private readonly banner = new Banner();
  private readonly feed = new Feed(this.api, this.fleet, () => this.bounds(), (told) => this.told(told));
  private readonly layer = new AircraftLayer(this.map, this.fleet, this.feed.clock);
  private readonly filters = new Filters(this.shared.filter, () => this.remember());
  private readonly timeline = new Timeline(this.feed, this.api, () => this.timeChanged());
  private readonly panel = new Panel(this.api, () => this.select(null));
  private readonly search = new Search(this.api, this.fleet, (flightId) => void this.goTo(flightId));
  private selected: string | null = null;
  private track: Position[] = [];
  private trackAt = 0;
  private following = false;
  private uncovering = false; // the panel is kept off the selected aircraft, until somebody drags the map
  private newest: Told | null = null;

  start(): void {
    this.layer.wanted = this.filters.wants;
    this.wear(this.theme);
    byId("ramp").style.background = `linear-gradient(to right, ${ramp(14).join(", ")})`;
    this.map.on("load", () => void this.loaded());
    this.map.on("moveend", () => {
      this.remember();
      this.feed.soon();
    });
    this.map.on("dragstart", () => (this.following = this.uncovering = false));
    new ResizeObserver(() => this.uncover()).observe(byId("panel"));
    this.map.on("click", ({ point, originalEvent }) => {
      const withinPx = originalEvent instanceof PointerEvent && originalEvent.pointerType === "touch" ? TOUCH_PX : PICK_PX;
      this.select(this.layer.nearest(point.x, point.y, withinPx)?.position.flight_id ?? null);
    });
    this.map.on("mousemove", ({ point }) => {
      this.map.getCanvas().style.cursor = this.layer.nearest(point.x, point.y, PICK_PX) === null ? "" : "pointer";
    });
    byId("theme-button").addEventListener("click", () => this.turn());
    byId("help-button").addEventListener("click", () => byId<HTMLDialogElement>("help").showModal());
    window.addEventListener("keydown", (event) => this.key(event));
    window.setInterval(() => this.second(), 1_000);
    if (this.shared.time !== null) this.timeline.goTo(this.shared.time);
    else this.feed.soon();
  }

  private makeMap(): MapView {
    const view = this.shared.view ?? { latitude: 47.5, longitude: 6, zoom: 4.6 };
    const map = new MapView({
      container: "map",
      style: style(this.theme),
      center: [view.longitude, view.latitude],
      zoom: view.zoom,
      minZoom: 1,
      maxZoom: 16,
      attributionControl: { compact: true, customAttribution: "Land: Natural Earth" },
      pixelRatio: this.pixelRatio,
      maxPitch: 0, // the aircraft are drawn for a flat map with north above: view.ts
      dragRotate: false,
      touchPitch: false,
    });
    withoutSky(map);
    map.on("webglcontextrestored", () => withoutSky(map));
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    map.addControl(new ScaleControl({ unit: "nautical" }), "bottom-right");
    return map;
  }

  private async loaded(): Promise<void> {
    if (this.shared.flight !== null) this.select(this.shared.flight);
    const labels = new Labels(this.map.getCanvasContainer(), this.layer);
    this.layer.drew = () => labels.draw();
    this.fly();
    this.source("ground").setData(await loadGround());
  }

  /** A picture after the other, as long as aircraft can be seen to move; the map's own pictures have them already. */
  private fly(): void {
    if (!this.layer.isDue()) {
      window.setTimeout(() => this.fly(), LOOK_MS);
      return;
    }
    if (!this.map.isMoving()) this.layer.draw();
    requestAnimationFrame(() => this.fly());
  }

  private source(name: string): GeoJSONSource {
    return this.map.getSource<GeoJSONSource>(name)!;
  }

  private bounds(): ReturnType<typeof widened> {
    const box = this.map.getBounds();
    return widened({ west: box.getWest(), south: box.getSouth(), east: box.getEast(), north: box.getNorth() });
  }

  private told(told: Told): void {
    this.newest = told;
    this.layer.refresh();
    this.filters.offer(this.fleet);
    this.second();
  }

  /** Once a second, and with each answer: everything that is text. */
  private second(): void {
    if (this.newest !== null) this.banner.show(this.newest);
    this.timeline.tick();
    const sky = this.newest?.sky ?? null;
    byId("count").textContent = `${number(this.layer.onScreen().length)} aircraft`;
    byId("age").textContent =
      !this.feed.isLive ? "the past" : sky?.ageS == null ? "" : sky.ageS < 2 ? "live" : `${duration(sky.ageS)} old`;
    byId("age").classList.toggle("old", this.feed.isLive && (sky?.ageS ?? 0) > 15);
    if (this.selected !== null) this.showSelected(this.selected);
  }

  private select(flightId: string | null): void {
    const isNew = this.selected !== flightId;
    this.selected = flightId;
    this.layer.selected = flightId;
    this.remember();
    if (flightId === null) {
      this.following = false;
      this.track = [];
      this.panel.hide();
      this.drawTrail();
    } else if (isNew) {
      this.track = [];
      this.trackAt = 0;
      this.drawTrail();
      this.uncovering = true;
      this.panel.show(flightId);
      this.showSelected(flightId);
    }
  }

  private showSelected(flightId: string): void {
    if (Date.now() - this.trackAt > TRAIL_EACH_MS) void this.fetchTrack(flightId);
    const aircraft = this.fleet.aircraft.get(flightId);
    if (aircraft === undefined) {
      this.panel.gone();
      return;
    }
    this.panel.update(aircraft.position, Math.max(0, (this.feed.clock() - aircraft.time) / 1000));
    const last = this.track.at(-1);
    if (last !== undefined && last.time < aircraft.position.time && this.feed.isLive) {
      this.track.push(aircraft.position);
      this.drawTrail();
    }
    if (this.following) {
      const { latitude, longitude } = unproject(placeOf(aircraft, this.feed.clock()));
      this.map.easeTo({ center: [longitude, latitude], offset: this.offset(), duration: 900 });
    } else {
      this.uncover();
    }
  }

  /** Moves the map where the panel, which on a phone is as wide as the page, covers the selected aircraft. */
  private uncover(): void {
    const aircraft = this.selected === null ? undefined : this.fleet.aircraft.get(this.selected);
    if (aircraft === undefined || !this.uncovering || this.map.isMoving()) return;
    const way = this.wayOut(screenOf(this.layer.view(), placeOf(aircraft, this.feed.clock())));
    if (way.x !== 0 || way.y !== 0) this.map.panBy([-way.x, -way.y], { duration: 500 });
  }

  /** From the middle of the map to where something in its middle is seen beside the panel, pixels. */
  private offset(): [number, number] {
    const { width, height } = this.layer.view();
    const way = this.wayOut({ x: width / 2, y: height / 2 });
    return [way.x, way.y];
  }

  private wayOut(point: Place): Place {
    const { width, height } = this.layer.view();
    const panel = byId("panel").getBoundingClientRect();
    const header = byId("top").getBoundingClientRect();
    const picture = { left: 0, top: 0, right: width, bottom: height };
    if (panel.width < width / 2) return uncovered(point, panel, picture, UNCOVER_PX);
    return uncovered(point, { ...picture, top: panel.top }, { ...picture, top: header.bottom }, UNCOVER_PX); // a phone
  }

  private async fetchTrack(flightId: string): Promise<void> {
    this.trackAt = Date.now();
    const track = await this.api.track(flightId).catch((): Position[] => []); // its first seconds are not in history yet
    if (this.selected !== flightId || track.length < this.track.length) return;
    this.track = track;
    this.drawTrail();
  }

  /** Of the past only what had been flown by then. */
  private drawTrail(): void {
    if (!this.map.isStyleLoaded() && this.map.getSource("trail") === undefined) return;
    const until = new Date(this.feed.clock()).toISOString();
    const flown = this.feed.isLive ? this.track : this.track.filter((position) => position.time <= until);
    byId("panel").dataset["points"] = String(flown.length);
    this.map.setLayoutProperty("trail", "visibility", flown.length > 1 ? "visible" : "none");
    this.source("trail").setData(trailOf(flown));
  }

  /** Selects a flight and goes where it is, or where and when it was last. */
  private async goTo(flightId: string): Promise<void> {
    this.select(flightId);
    const here = this.fleet.aircraft.get(flightId)?.position ?? (await this.api.liveFlight(flightId).catch(() => null));
    const there = here ?? (await this.api.track(flightId).catch(() => [])).at(-1) ?? null;
    if (there === null) return;
    if (here === null) this.timeline.goTo(Date.parse(there.time) - 60_000);
    this.map.flyTo({
      center: [there.longitude, there.latitude],
      offset: this.offset(),
      zoom: Math.max(this.map.getZoom(), 7),
    });
  }

  private timeChanged(): void {
    this.remember();
    this.drawTrail();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event)) return;
    const handled = this.timeline.key(event) || this.command(event.key);
    if (handled) event.preventDefault();
  }

  private command(key: string): boolean {
    if (key === "/") this.search.focus();
    else if (key === "Escape") this.select(null);
    else if (key === "n" || key === "p") this.step(key === "n" ? 1 : -1);
    else if (key === "c") this.following = this.selected !== null;
    else if (key === "f") this.filters.toggle();
    else if (key === "t") this.turn();
    else if (key === "?") byId<HTMLDialogElement>("help").showModal();
    else return false;
    return true;
  }

  /** The next aircraft in the picture, from left to right. */
  private step(by: number): void {
    const shown = this.layer.onScreen().sort((a, b) => a.x - b.x);
    if (shown.length === 0) return;
    const at = shown.findIndex(({ aircraft }) => aircraft.position.flight_id === this.selected);
    const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
    this.select(shown[next]!.aircraft.position.flight_id);
  }

  private turn(): void {
    this.shared.theme = this.theme === "dark" ? "light" : "dark";
    this.wear(this.shared.theme);
    this.remember();
  }

  private wear(theme: Theme): void {
    this.theme = theme;
    document.documentElement.dataset["theme"] = theme;
    byId("map").style.background = sea(theme);
    this.layer.outline = theme === "dark" ? [0.04, 0.07, 0.1] : [0.13, 0.17, 0.21];
    const repaint = () => {
      for (const [layer, property, value] of paints(theme)) this.map.setPaintProperty(layer, property, value);
    };
    if (this.map.isStyleLoaded()) repaint();
    else void this.map.once("load", repaint);
  }

  /** What is seen has changed by somebody's hand: it goes into the address, and into the picture. */
  private remember(): void {
    this.layer.refresh();
    const middle = this.map.getCenter();
    const view = { latitude: middle.lat, longitude: middle.lng, zoom: this.map.getZoom() };
    const time = this.feed.isLive ? null : this.feed.clock();
    const { filters, selected: flight } = this;
    history.replaceState(null, "", write({ view, flight, time, filter: filters.value, theme: this.shared.theme }));
  }
}

/**
 * MapLibre draws a sky over the whole picture although none is set and a flat map shows none: transparent, and where the
 * processor draws a third of all that a moved picture took. No option says otherwise.
 */
function withoutSky({ painter }: MapView): void {
  painter.drawFunctions = { ...painter.drawFunctions, sky: () => undefined };
}

/** Where the history API is: as whoever served the page says; behind the same address where that is empty. */
function historyBase(): string {
  const told = document.querySelector<HTMLMetaElement>('meta[name="flight-history"]')?.content ?? "";
  return told.replace(/\/$/, "");
}

setWorkerUrl(workerUrl);
const app = new App();
app.start();
declare global {
  interface Window {
    flightMap: App; // for tests and for the curious
  }
}
window.flightMap = app;
