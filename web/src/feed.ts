/**
 * What fills the fleet: the sky of now, once a second, or a sky of the past at the speed of the slider.
 *
 * One request at a time; the next is asked a second after the last was, at the soonest. Boxes are widened to a grid,
 * so that people who look at the same place ask the same question and a cache answers all but one of them.
 */

import { type Api, ApiError, type Bounds, type Sky } from "./api";
import type { Fleet } from "./fleet";
import { wrapDegrees } from "./geo";

const EACH_MS = 1_000;
const CLOCK_SHARE = 0.2; // of a new difference to the server's clock that is believed: answers take unequal times

export interface Told {
  sky: Sky | null;
  problem: string | null;
  failingSince: number | null; // Unix milliseconds, own clock
}

export class Feed {
  private past: { at: number; since: number; speed: number } | null = null;
  private skewMs: number | null = null;
  private timer: number | undefined;
  private request: AbortController | null = null;
  private failingSince: number | null = null;

  constructor(
    private readonly api: Api,
    private readonly fleet: Fleet,
    private readonly bounds: () => Bounds | null,
    private readonly tell: (told: Told) => void,
  ) {}

  /** The clock of the picture, Unix milliseconds: the server's now, or the time that is replayed. */
  readonly clock = (): number => {
    if (this.past === null) return Date.now() + (this.skewMs ?? 0);
    return this.past.at + (Date.now() - this.past.since) * this.past.speed;
  };

  get isLive(): boolean {
    return this.past === null;
  }

  /** The speed of the replay; 0 where it is paused, null where the present is shown. */
  get speed(): number | null {
    return this.past?.speed ?? null;
  }

  /** Shows the present. */
  goLive(): void {
    if (this.past !== null) this.fleet.clear();
    this.past = null;
    this.soon();
  }

  /** Shows the past from that time (Unix milliseconds) on, so many times as fast as it went. */
  replay(at: number, speed: number): void {
    const here = this.past === null ? null : this.clock();
    if (here === null || Math.abs(at - here) > 2_000) this.fleet.clear();
    this.past = { at, since: Date.now(), speed };
    this.soon();
  }

  /** Asks again at once: another place is looked at. */
  soon(): void {
    this.request?.abort();
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.round(), 60);
  }

  private async round(): Promise<void> {
    const began = Date.now();
    const request = new AbortController();
    this.request = request;
    try {
      const sky = await this.ask(request.signal);
      this.failingSince = null;
      this.fleet.take(sky.positions, this.clock());
      this.tell({ sky, problem: null, failingSince: null });
    } catch (error) {
      if (request.signal.aborted) return; // the next round is on its way
      this.failingSince ??= Date.now();
      const problem = error instanceof ApiError ? error.message : String(error);
      this.tell({ sky: null, problem, failingSince: this.failingSince });
    }
    const pause = Math.max(50, EACH_MS - (Date.now() - began));
    this.timer = window.setTimeout(() => void this.round(), pause);
  }

  private async ask(signal: AbortSignal): Promise<Sky> {
    const bounds = this.bounds();
    if (this.past !== null) return this.api.then(this.clock(), bounds, signal);
    const asked = Date.now();
    const sky = await this.api.live(bounds, signal);
    const skew = sky.time - (asked + Date.now()) / 2;
    this.skewMs = this.skewMs === null ? skew : this.skewMs + CLOCK_SHARE * (skew - this.skewMs);
    return sky;
  }
}

/** A box a little larger than what is seen, with its edges on a grid; null where it would be the whole world. */
export function widened(seen: Bounds): Bounds | null {
  const width = seen.east - seen.west;
  const grid = 10 ** Math.floor(Math.log10(Math.max(0.2, width))) / 2;
  const west = Math.floor(seen.west / grid - 0.2) * grid;
  const east = Math.ceil(seen.east / grid + 0.2) * grid;
  if (east - west >= 360) return null;
  return {
    west: wrapDegrees(west),
    east: wrapDegrees(east) === -180 ? 180 : wrapDegrees(east),
    south: Math.max(-90, Math.floor(seen.south / grid - 0.2) * grid),
    north: Math.min(90, Math.ceil(seen.north / grid + 0.2) * grid),
  };
}
