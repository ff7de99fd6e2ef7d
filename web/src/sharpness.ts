/**
 * Fewer pixels while the map is moved, where it would else stutter: a processor that draws has as much to do as there are
 * pixels, and what moves is not looked at sharply. At rest all are there again.
 */

import type { Map as MapView } from "maplibre-gl";

const SLOW_MS = 40; // between two pictures: less than 25 a second
const SLOW_PICTURES = 3; // so many after each other; a single one may have waited for something
const MOVED_SHARE = 0.6; // of the pixels along each side
const REST_MS = 250; // longer than between two steps of a wheel

export class Sharpness {
  private lastMs = 0;
  private slow = 0;
  private isReduced = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `ratio` is that of pixels to CSS pixels at rest. */
  constructor(
    private readonly map: Pick<MapView, "on" | "isMoving" | "setPixelRatio" | "stop">,
    private readonly ratio: number,
  ) {
    map.on("movestart", () => (this.slow = this.lastMs = 0));
    map.on("move", () => this.moved(performance.now())); // before it is drawn: a canvas is empty when its size was changed
    map.on("moveend", () => this.wait());
  }

  private moved(nowMs: number): void {
    this.slow = this.lastMs > 0 && nowMs - this.lastMs > SLOW_MS ? this.slow + 1 : 0;
    this.lastMs = nowMs;
    if (this.slow >= SLOW_PICTURES) this.reduce(true);
  }

  private wait(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rested(), REST_MS);
  }

  private rested(): void {
    if (!this.map.isMoving()) this.reduce(false);
  }

  private reduce(isReduced: boolean): void {
    if (this.isReduced === isReduced) return; // a change of size counts as a move, too
    this.isReduced = isReduced;
    const { map } = this;
    const { stop } = map;
    map.stop = () => map as MapView; // which a change of size calls: it would end a drag or a turn of the wheel
    map.setPixelRatio(this.ratio * (isReduced ? MOVED_SHARE : 1));
    map.stop = stop;
  }
}
