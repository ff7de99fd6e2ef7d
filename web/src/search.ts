/** Finding a flight by callsign, registration or address: first among those in the picture, then by asking. */

import type { Api } from "./api";
import type { Fleet } from "./fleet";
import { byId, make } from "./page";

const PAUSE_MS = 250; // between the last key and the question
const MOST = 8;
const ADDRESS = /^~?[0-9a-f]{6}$/i;

interface Found {
  flightId: string;
  name: string;
  about: string;
}

export class Search {
  private readonly form = byId<HTMLFormElement>("search");
  private readonly text = byId<HTMLInputElement>("search-text");
  private readonly list = byId<HTMLUListElement>("found");
  private found: Found[] = [];
  private marked = 0;
  private request: AbortController | null = null;
  private timer: number | undefined;

  constructor(
    private readonly api: Api,
    private readonly fleet: Fleet,
    private readonly choose: (flightId: string) => void,
  ) {
    this.text.addEventListener("input", () => this.begin());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => window.setTimeout(() => this.close(), 150));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take(this.marked);
    });
  }

  focus(): void {
    this.text.focus();
    this.text.select();
  }

  private begin(): void {
    this.request?.abort();
    window.clearTimeout(this.timer);
    const words = this.text.value.trim();
    if (words === "") return this.close();
    this.show(this.inPicture(words), "looking further…");
    this.timer = window.setTimeout(() => void this.ask(words), PAUSE_MS);
  }

  private inPicture(words: string): Found[] {
    const upper = words.toUpperCase();
    const matches = [...this.fleet.aircraft.values()].filter(
      ({ position }) => position.callsign?.startsWith(upper) || position.icao24.toUpperCase().startsWith(upper),
    );
    return matches.slice(0, MOST).map(({ position }) => ({
      flightId: position.flight_id,
      name: position.callsign ?? position.icao24,
      about: "in the picture",
    }));
  }

  private async ask(words: string): Promise<void> {
    const request = new AbortController();
    this.request = request;
    const upper = words.toUpperCase();
    const by = ADDRESS.test(words) ? "icao24" : "registration";
    const [live, named, other] = await Promise.allSettled([
      this.api.findLive(upper, request.signal),
      this.api.findFlights("callsign", upper, request.signal),
      this.api.findFlights(by, by === "icao24" ? words.toLowerCase() : upper, request.signal),
    ]);
    if (request.signal.aborted) return;
    const found = this.inPicture(words);
    if (live.status === "fulfilled") {
      found.push(...live.value.map((p) => ({ flightId: p.flight_id, name: p.callsign ?? p.icao24, about: "in the air" })));
    }
    for (const past of [named, other]) {
      if (past.status !== "fulfilled") continue;
      found.push(
        ...past.value.map((flight) => ({
          flightId: flight.flight_id,
          name: flight.callsign ?? flight.registration ?? flight.icao24,
          about: flight.last_time ? `until ${flight.last_time.slice(0, 16).replace("T", " ")} UTC` : "in history",
        })),
      );
    }
    const seen = new Set<string>();
    this.show(found.filter(({ flightId }) => !seen.has(flightId) && seen.add(flightId)).slice(0, MOST), "no such flight");
  }

  private show(found: Found[], otherwise: string): void {
    this.found = found;
    this.marked = 0;
    const rows = found.map((flight, index) => {
      const row = make("li", { role: "option" }, make("b", {}, flight.name), make("span", {}, flight.about));
      row.addEventListener("pointerdown", () => this.take(index));
      return row;
    });
    this.list.replaceChildren(...(rows.length ? rows : [make("li", { class: "subtle" }, otherwise)]));
    this.list.hidden = false;
    this.mark(0);
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      this.close();
      this.text.blur();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.mark(this.marked + (event.key === "ArrowDown" ? 1 : -1));
    }
  }

  private mark(index: number): void {
    this.marked = Math.max(0, Math.min(this.found.length - 1, index));
    [...this.list.children].forEach((row, at) => row.setAttribute("aria-selected", String(at === this.marked)));
  }

  private take(index: number): void {
    const flight = this.found[index];
    if (flight === undefined) return;
    this.close();
    this.text.blur();
    this.choose(flight.flightId);
  }

  private close(): void {
    this.request?.abort();
    window.clearTimeout(this.timer);
    this.list.hidden = true;
  }
}
