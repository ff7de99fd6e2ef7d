/** The selected flight: its facts, its trail, and where to take it away. */

import { type Api, ApiError, type Flight, type Position } from "./api";
import { colourOf, css } from "./colours";
import { byId, duration, make, number } from "./page";

const FORMATS = ["gpx", "kml", "csv", "geojson", "parquet"];

export class Panel {
  private readonly root = byId("panel");
  private readonly facts = make("dl");
  private readonly title = make("h2");
  private readonly subtitle = make("p", { class: "subtle" });
  private readonly route = make("p", { class: "route" });
  private readonly note = make("p", { class: "subtle" });
  private readonly downloads = make("p", { class: "downloads" });
  private request: AbortController | null = null;

  /** `close` is called when the flight is let go of here. */
  constructor(
    private readonly api: Api,
    close: () => void,
  ) {
    const button = make("button", { type: "button", class: "close", "aria-label": "Close", title: "Esc" }, "×");
    button.addEventListener("click", close);
    this.root.append(button, this.title, this.subtitle, this.route, this.facts, this.note, this.downloads);
  }

  hide(): void {
    this.request?.abort();
    this.root.hidden = true;
  }

  /** Shows a flight and fetches what history knows of it. */
  show(flightId: string): void {
    this.request?.abort();
    this.request = new AbortController();
    this.root.hidden = false;
    this.title.textContent = "…";
    this.subtitle.textContent = flightId;
    this.route.textContent = "";
    this.note.textContent = "";
    this.facts.replaceChildren();
    const links = FORMATS.map((format) =>
      make("a", { href: this.api.trackUrl(flightId, format), download: `${flightId}.${format}` }, format.toUpperCase()),
    );
    this.downloads.replaceChildren("Track as ", ...links.flatMap((link, index) => (index ? [" · ", link] : [link])));
    void this.fetchFlight(flightId, this.request.signal);
  }

  /** The newest of it; `ageS` is how old that is in the clock of the picture. */
  update(position: Position, ageS: number): void {
    this.title.textContent = position.callsign ?? position.icao24.toUpperCase();
    const rate = position.vertical_rate_fpm;
    const way = rate === null || Math.abs(rate) < 100 ? "" : rate > 0 ? " ↑" : " ↓";
    const altitude = position.on_ground === true ? "on the ground" : number(position.altitude_ft, "ft") + way;
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = css(colourOf(position.altitude_ft, position.on_ground));
    const rows: [string, (Node | string)[]][] = [
      ["Altitude", [swatch, altitude]],
      ["Ground speed", [number(position.ground_speed_kt, "kt")]],
      ["Track", [position.track_deg === null ? "–" : `${Math.round(position.track_deg)}°`]],
      ["Vertical rate", [number(rate, "ft/min")]],
      ["Squawk", [position.squawk ?? "–"]],
      ["Address", [position.icao24]],
      ["Heard by", [[position.source, position.kind].filter(Boolean).join(", ") || "–"]],
      ["Last heard", [ageS < 1.5 ? "now" : `${duration(ageS)} ago`]],
    ];
    if (position.emergency !== null && position.emergency !== "none") {
      rows.unshift(["Emergency", [position.emergency.replaceAll("_", " ")]]);
    }
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...value)]));
    this.root.classList.toggle("old", ageS > 15);
  }

  /** It has left the picture: what was last known stays, and says so. */
  gone(): void {
    this.root.classList.add("old");
    this.note.textContent = "No longer heard.";
  }

  private async fetchFlight(flightId: string, signal: AbortSignal): Promise<void> {
    try {
      const flight = await this.api.flight(flightId, signal);
      this.subtitle.textContent = [flight.registration, flight.type_code, flightId].filter(Boolean).join(" · ");
      this.route.textContent = routeOf(flight);
      if (this.title.textContent === "…") this.title.textContent = flight.callsign ?? flight.icao24.toUpperCase();
    } catch (error) {
      if (!signal.aborted && error instanceof ApiError && error.status !== 404) this.note.textContent = error.message;
    }
  }
}

function routeOf(flight: Flight): string {
  if (!flight.departure_airport && !flight.arrival_airport) return "";
  return `${flight.departure_airport ?? "?"} → ${flight.arrival_airport ?? "?"}`;
}

/** A track as lines coloured by altitude, for the map's source; the world does not end at the antimeridian. */
export function trailOf(track: readonly Position[]): GeoJSON.FeatureCollection {
  const features: GeoJSON.Feature[] = [];
  let longitude = track[0]?.longitude ?? 0;
  for (let index = 1; index < track.length; index += 1) {
    const from = track[index - 1]!;
    const to = track[index]!;
    const next = longitude + ((((to.longitude - longitude) % 360) + 540) % 360) - 180;
    features.push({
      type: "Feature",
      properties: { colour: css(colourOf(to.altitude_ft, to.on_ground)) },
      geometry: { type: "LineString", coordinates: [[longitude, from.latitude], [next, to.latitude]] },
    });
    longitude = next;
  }
  return { type: "FeatureCollection", features };
}
