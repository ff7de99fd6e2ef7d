import { expect, it } from "vitest";

import { colourOf, css, ON_GROUND, ramp, UNKNOWN } from "../src/colours";

it("is grey where the altitude is unknown, and on the ground", () => {
  expect(colourOf(null)).toBe(UNKNOWN);
  expect(colourOf(1_000, true)).toBe(ON_GROUND);
});

it("changes by small steps over every altitude that there is", () => {
  for (let feet = -2_000; feet < 60_000; feet += 250) {
    const [a, b] = [colourOf(feet), colourOf(feet + 250)];
    const apart = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    expect(apart, `${feet} ft`).toBeLessThan(0.06);
    expect(css(a)).toMatch(/^rgb\(\d+ \d+ \d+\)$/);
  }
});

it("tells the ground from cruise", () => {
  expect(new Set(ramp(5)).size).toBe(5);
});
