import { describe, expect, it } from "vitest";

import { Fleet, GONE_S, opacityOf, placeOf, STRETCH_S } from "../src/fleet";
import { project, velocity } from "../src/geo";
import { NOW, report } from "./reports";

describe("Fleet", () => {
  it("moves an aircraft on as it flew, and no longer than that can be known", () => {
    const fleet = new Fleet();
    fleet.take([report(0)], NOW);
    const aircraft = fleet.aircraft.get("3c6444-697dd5a0")!;
    const start = project(47, 8);
    const speed = velocity(47, 450, 90);
    expect(placeOf(aircraft, NOW + 10_000).x).toBeCloseTo(start.x + 10 * speed.x, 12);
    expect(placeOf(aircraft, NOW + 50_000).x).toBeCloseTo(start.x + STRETCH_S * speed.x, 12);
  });

  it("does not jump when a report corrects it, and gets there", () => {
    const fleet = new Fleet();
    fleet.take([report(0)], NOW);
    const before = placeOf(fleet.aircraft.get("3c6444-697dd5a0")!, NOW + 5_000);
    fleet.take([report(5, { latitude: 47.02, longitude: 8.05 })], NOW + 5_000);
    const aircraft = fleet.aircraft.get("3c6444-697dd5a0")!;
    const after = placeOf(aircraft, NOW + 5_000);
    expect(after.x).toBeCloseTo(before.x, 9);
    expect(after.y).toBeCloseTo(before.y, 9);
    expect(placeOf(aircraft, NOW + 12_000).y).toBeCloseTo(project(47.02, 8).y, 7);
  });

  it("ignores what is older than what it has", () => {
    const fleet = new Fleet();
    fleet.take([report(5), report(0, { latitude: 10 })], NOW + 5_000);
    expect(fleet.aircraft.get("3c6444-697dd5a0")!.position.latitude).toBe(47);
  });

  it("keeps a flight that an answer lacks until it is old", () => {
    const fleet = new Fleet();
    fleet.take([report(0)], NOW);
    fleet.take([], NOW + (GONE_S - 1) * 1000);
    expect(fleet.aircraft.size).toBe(1);
    fleet.take([], NOW + (GONE_S + 1) * 1000);
    expect(fleet.aircraft.size).toBe(0);
  });

  it("stands still where speed or direction is unknown", () => {
    const fleet = new Fleet();
    fleet.take([report(0, { track_deg: null })], NOW);
    const aircraft = fleet.aircraft.get("3c6444-697dd5a0")!;
    expect(placeOf(aircraft, NOW + 9_000).x).toBe(project(47, 8).x);
  });
});

it("an old position looks old", () => {
  expect(opacityOf(3)).toBe(1);
  expect(opacityOf(40)).toBeLessThan(0.6);
  expect(opacityOf(59)).toBeGreaterThan(0.1);
});
