import { describe, expect, it } from "vitest";

import { widened } from "../src/feed";

describe("widened", () => {
  it("holds what is seen and asks the same for a small step aside", () => {
    const seen = { west: 2.1, south: 48.1, east: 4.1, north: 49.3 };
    const box = widened(seen)!;
    expect(box.west).toBeLessThan(seen.west);
    expect(box.north).toBeGreaterThan(seen.north);
    expect(widened({ ...seen, west: 2.11, east: 4.11 })).toEqual(box);
  });

  it("crosses the antimeridian as the API has it, west beyond east", () => {
    const box = widened({ west: 170, south: -50, east: 195, north: -30 })!;
    expect(box.west).toBeGreaterThan(0);
    expect(box.east).toBeLessThan(0);
  });

  it("is the whole world where more than that is seen", () => {
    expect(widened({ west: -200, south: -80, east: 200, north: 80 })).toBeNull();
  });
});
