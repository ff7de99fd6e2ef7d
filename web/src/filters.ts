/** Which aircraft are shown: by altitude, by source, and whether those on the ground are among them. */

import type { Shared } from "./address";
import type { Aircraft, Fleet } from "./fleet";
import { byId, make } from "./page";

type Filter = Shared["filter"];

export class Filters {
  private readonly form = byId<HTMLFormElement>("filters");
  private readonly button = byId<HTMLButtonElement>("filter-button");
  private readonly low = byId<HTMLInputElement>("low");
  private readonly high = byId<HTMLInputElement>("high");
  private readonly ground = byId<HTMLInputElement>("ground");
  private readonly source = byId<HTMLSelectElement>("source");
  private readonly sources = new Set<string>(); // that are offered

  constructor(
    public value: Filter,
    changed: () => void,
  ) {
    this.low.value = value.lowFt === null ? "" : String(value.lowFt);
    this.high.value = value.highFt === null ? "" : String(value.highFt);
    this.ground.checked = value.ground;
    if (value.source !== null) this.addSource(value.source);
    this.source.value = value.source ?? "";
    this.mark();
    this.form.addEventListener("input", () => {
      this.value = this.read();
      this.mark();
      changed();
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => window.setTimeout(() => this.form.dispatchEvent(new Event("input"))));
    this.button.addEventListener("click", () => this.toggle());
  }

  toggle(): void {
    this.form.hidden = !this.form.hidden;
    this.button.setAttribute("aria-expanded", String(!this.form.hidden));
    if (!this.form.hidden) this.low.focus();
  }

  /** Whether an aircraft is wanted. One of unknown altitude is wanted only where any altitude is. */
  readonly wants = ({ position }: Aircraft): boolean => {
    const { lowFt, highFt, ground, source } = this.value;
    const altitude = position.altitude_ft;
    if (!ground && position.on_ground === true) return false;
    if (source !== null && position.source !== source) return false;
    if (lowFt !== null && (altitude === null || altitude < lowFt)) return false;
    return highFt === null || (altitude !== null && altitude <= highFt);
  };

  /** The sources that are heard are offered. */
  offer(fleet: Fleet): void {
    for (const { position } of fleet.aircraft.values()) {
      if (position.source !== null) this.addSource(position.source);
    }
  }

  private addSource(name: string): void {
    if (this.sources.has(name)) return;
    this.sources.add(name);
    this.source.append(make("option", { value: name }, name));
  }

  private read(): Filter {
    const whole = (input: HTMLInputElement) => (input.value === "" ? null : Math.round(Number(input.value)));
    return {
      lowFt: whole(this.low),
      highFt: whole(this.high),
      ground: this.ground.checked,
      source: this.source.value || null,
    };
  }

  private mark(): void {
    const { lowFt, highFt, ground, source } = this.value;
    this.button.classList.toggle("on", lowFt !== null || highFt !== null || !ground || source !== null);
  }
}
