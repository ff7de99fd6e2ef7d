import { describe, expect, it } from "vitest";

import { project } from "../src/geo";
import { apartPx, placeAt, screenOf, turns, uncovered, type View } from "../src/view";

const VIEW: View = { middle: project(47, 8), worldPx: 512 * 2 ** 6, width: 1000, height: 700 };

describe("screenOf", () => {
  it("puts the middle into the middle, and what is north and east above and to the right", () => {
    expect(screenOf(VIEW, VIEW.middle)).toEqual({ x: 500, y: 350 });
    const point = screenOf(VIEW, project(48, 10));
    expect(point.x).toBeCloseTo(500 + (2 / 360) * 512 * 64, 6);
    expect(point.y).toBeLessThan(350 - (1 / 360) * 512 * 64); // a degree is longer in the north
  });

  it("is undone by placeAt", () => {
    const point = screenOf(VIEW, project(45.5, 3));
    const place = placeAt(VIEW, point.x, point.y);
    expect(place.x).toBeCloseTo(project(45.5, 3).x, 12);
    expect(place.y).toBeCloseTo(project(45.5, 3).y, 12);
  });

  it("goes the short way over the antimeridian", () => {
    const view = { ...VIEW, middle: project(0, 179.5) };
    expect(screenOf(view, project(0, -179.5)).x).toBeCloseTo(500 + (1 / 360) * 512 * 64, 6);
    expect(apartPx(view, project(0, 179.5), project(0, -179.5))).toBeCloseTo((1 / 360) * 512 * 64, 6);
  });
});

it("repeats the world where the picture shows it more than once", () => {
  expect(turns(VIEW)).toEqual([0]);
  expect(turns({ ...VIEW, worldPx: 1000 })).toEqual([0]);
  expect(turns({ ...VIEW, worldPx: 800 })).toEqual([-1, 0, 1]);
  expect(turns({ ...VIEW, worldPx: 300 })).toEqual([-2, -1, 0, 1, 2]);
});

describe("uncovered", () => {
  const phone = { left: 0, top: 90, right: 390, bottom: 844 };
  const atItsFoot = { left: 12, top: 400, right: 378, bottom: 780 };

  it("moves what is beneath a panel to the nearest free place", () => {
    expect(uncovered({ x: 200, y: 600 }, atItsFoot, phone, 30)).toEqual({ x: 0, y: -230 });
    expect(uncovered({ x: 5, y: 600 }, atItsFoot, phone, 30)).toEqual({ x: 25, y: -230 });
    const desk = { left: 0, top: 0, right: 1280, bottom: 800 };
    expect(uncovered({ x: 200, y: 300 }, { left: 12, top: 96, right: 312, bottom: 420 }, desk, 30)).toEqual({ x: 142, y: 0 });
  });

  it("moves nothing else", () => {
    expect(uncovered({ x: 200, y: 300 }, atItsFoot, phone, 30)).toEqual({ x: 0, y: 0 });
    expect(uncovered({ x: 200, y: 600 }, { left: 0, top: 0, right: 0, bottom: 0 }, phone, 30)).toEqual({ x: 0, y: 0 }); // hidden
  });

  it("finds the middle of a place that is too narrow for the margin", () => {
    expect(uncovered({ x: 200, y: 600 }, { ...atItsFoot, top: 130, bottom: 840 }, phone, 30).y).toBe(110 - 600);
  });
});
