import type { Map as MapView } from "maplibre-gl";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Sharpness } from "../src/sharpness";

/** A map that is moved when it is told so, and notes the ratios it was given. */
class Moved {
  ratios: number[] = [];
  moving = false;
  stopped = 0;
  readonly view: MapView;
  private readonly heard = new Map<string, () => void>();

  constructor() {
    const on = (name: string, hear: () => void) => this.heard.set(name, hear);
    const stop = () => this.stopped++;
    const setPixelRatio = (ratio: number) => {
      this.ratios.push(ratio);
      this.view.stop(); // as MapLibre does, also while it is dragged
      if (!this.moving) for (const name of ["movestart", "move", "moveend"]) this.heard.get(name)!();
    };
    this.view = { on, isMoving: () => this.moving, setPixelRatio, stop } as unknown as MapView;
    new Sharpness(this.view, 2);
  }

  begin(): void {
    this.moving = true;
    this.heard.get("movestart")!();
  }

  pictures(...pausesMs: number[]): void {
    for (const pauseMs of pausesMs) {
      vi.advanceTimersByTime(pauseMs);
      this.heard.get("move")!();
    }
  }

  end(): void {
    this.moving = false;
    this.heard.get("moveend")!();
  }
}

let map: Moved;

beforeEach(() => {
  vi.useFakeTimers();
  map = new Moved();
});

afterEach(() => void vi.useRealTimers());

test("a map whose pictures come in time keeps its pixels", () => {
  map.begin();
  map.pictures(16, 33, 33, 90, 16, 60, 60, 33);
  map.end();
  vi.runAllTimers();
  expect(map.ratios).toEqual([]);
});

test("one that stutters has fewer while it is moved, and all of them at rest", () => {
  map.begin();
  map.pictures(50, 70, 70);
  expect(map.ratios).toEqual([]);
  map.pictures(70, 70, 20);
  expect(map.ratios).toEqual([1.2]);
  map.end();
  expect(map.ratios).toEqual([1.2]);
  vi.runAllTimers();
  expect(map.ratios).toEqual([1.2, 2]);
});

test("between two steps of a wheel the pixels stay as they are", () => {
  map.begin();
  map.pictures(70, 70, 70, 70);
  map.end();
  vi.advanceTimersByTime(200);
  map.begin();
  vi.advanceTimersByTime(200);
  expect(map.ratios).toEqual([1.2]);
  map.end();
  vi.runAllTimers();
  expect(map.ratios).toEqual([1.2, 2]);
});

test("a change of pixels stops nothing, and the map can be stopped afterwards", () => {
  map.begin();
  map.pictures(70, 70, 70, 70);
  expect(map.ratios).toEqual([1.2]);
  expect(map.stopped).toBe(0);
  map.view.stop();
  expect(map.stopped).toBe(1);
});
