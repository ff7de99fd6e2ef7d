import { expect, it } from "vitest";

import type { Position } from "../src/api";
import { colourOf } from "../src/colours";
import { type Aircraft, Fleet, placeOf, STRETCH_S } from "../src/fleet";
import { project, shortWay } from "../src/geo";
import { CORNERS, LAYOUT, Vertices, WORDS } from "../src/vertices";
import { NOW, report } from "./reports";

const ANCHOR = { ...project(47, 8), timeMs: NOW };

function aircraft(ageS: number, more: Partial<Position> = {}): Aircraft {
  const fleet = new Fleet();
  const reported = report(-ageS, { latitude: 47.5, longitude: 8.5, ...more });
  fleet.take([reported], NOW);
  return fleet.aircraft.get(reported.flight_id)!;
}

/** The attribute of a corner, as the card reads it. */
function read(vertices: Vertices, name: (typeof LAYOUT)[number][0], corner = 0): number[] {
  const before = LAYOUT.slice(0, LAYOUT.findIndex(([other]) => other === name));
  const at = corner * WORDS + before.reduce((sum, [, words]) => sum + words, 0);
  if (name === "a_colour") return [...new Uint8Array(vertices.floats.buffer, at * 4, 4)];
  return [...vertices.floats.subarray(at, at + 2)];
}

function written(one: Aircraft, selected: string | null = null, anchor = ANCHOR): Vertices {
  const vertices = new Vertices();
  vertices.write([one], selected, anchor);
  return vertices;
}

it("holds what tells where the aircraft is at any time, as placeOf has it", () => {
  const one = { ...aircraft(4), offX: 1e-4, offY: -2e-4, offAt: NOW - 300 };
  const vertices = written(one);
  for (const laterS of [0, 0.5, 7, 40]) {
    const [reported, offAt] = read(vertices, "a_times") as [number, number];
    const flown = Math.min(STRETCH_S, laterS - reported);
    const left = Math.exp(-(laterS - offAt) / 0.7);
    const along = (axis: number) =>
      read(vertices, "a_place")[axis]! + read(vertices, "a_velocity")[axis]! * flown + read(vertices, "a_off")[axis]! * left;
    const place = placeOf(one, NOW + laterS * 1000);
    const px = 512 * 2 ** 12; // a world in which a hundredth of a pixel is 5e-9 of it
    expect((along(0) - shortWay(ANCHOR.x, place.x)) * px).toBeCloseTo(0, 1);
    expect((along(1) - (place.y - ANCHOR.y)) * px).toBeCloseTo(0, 1);
  }
});

it("counts places from the anchor the short way round the world", () => {
  const [x] = read(written(aircraft(0, { longitude: -179 }), null, { ...project(47, 179), timeMs: NOW }), "a_place");
  expect(x).toBeCloseTo(2 / 360, 6);
});

it("gives all corners the same", () => {
  const vertices = written(aircraft(0));
  for (let corner = 1; corner < CORNERS; corner += 1) {
    for (const [name] of LAYOUT) expect(read(vertices, name, corner)).toEqual(read(vertices, name));
  }
});

it("turns a symbol along its track, and makes a dot of who has none or stands on the ground", () => {
  expect(read(written(aircraft(0)), "a_symbol")).toEqual([Math.fround(Math.PI / 2), 1]);
  expect(read(written(aircraft(0, { track_deg: null })), "a_symbol")[1]).toBe(-1);
  expect(read(written(aircraft(0, { on_ground: true })), "a_symbol")[1]).toBe(-1);
});

it("colours by altitude and fades what is old, but for the selected one, which is larger", () => {
  const bytes = colourOf(35_000).map((part) => Math.round(part * 255));
  expect(read(written(aircraft(1)), "a_colour")).toEqual([...bytes, 255]);
  const old = aircraft(50);
  expect(read(written(old), "a_colour")[3]).toBeLessThan(128);
  expect(read(written(old, old.position.flight_id), "a_colour")).toEqual([...bytes, 255]);
  expect(read(written(old, old.position.flight_id), "a_symbol")[1]).toBe(1.5);
});
