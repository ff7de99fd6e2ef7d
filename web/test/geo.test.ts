import { describe, expect, it } from "vitest";

import { pixelsPerSecond, project, shortWay, unproject, unwrapped, velocity, wrapDegrees } from "../src/geo";

describe("project", () => {
  it("puts null island into the middle", () => {
    expect(project(0, 0).x).toBeCloseTo(0.5, 12);
    expect(project(0, 0).y).toBeCloseTo(0.5, 12);
  });

  it.each([[47.46, 8.55], [-33.9, 151.2], [84.9, -179.9]])("is undone by unproject: %d, %d", (latitude, longitude) => {
    const back = unproject(project(latitude, longitude));
    expect(back.latitude).toBeCloseTo(latitude, 9);
    expect(back.longitude).toBeCloseTo(longitude, 9);
  });

  it("keeps the poles on the map", () => {
    expect(project(90, 0).y).toBeCloseTo(0, 6);
    expect(project(-90, 0).y).toBeCloseTo(1, 6);
  });
});

describe("velocity", () => {
  it("takes an hour for 480 nautical miles at 480 knots along the equator", () => {
    const hour = velocity(0, 480, 90).x * 3600;
    expect(hour * 360).toBeCloseTo(8, 1); // a degree is 60 nautical miles
  });

  it("goes up the page when flying north, and straight", () => {
    const north = velocity(50, 300, 0);
    expect(north.y).toBeLessThan(0);
    expect(north.x).toBeCloseTo(0, 12);
  });
});

describe("the antimeridian", () => {
  it("is crossed the short way", () => {
    expect(shortWay(0.99, 0.01)).toBeCloseTo(0.02, 12);
    expect(shortWay(0.01, 0.99)).toBeCloseTo(-0.02, 12);
  });

  it("wraps longitudes", () => {
    expect(wrapDegrees(190)).toBe(-170);
    expect(wrapDegrees(-190)).toBe(170);
  });
});

it("tells how fast things move on the screen", () => {
  expect(pixelsPerSecond(0, 0, 600) * 3600).toBeCloseTo((10 / 360) * 512, 1); // ten degrees of the equator an hour
  expect(pixelsPerSecond(9, 60, 450) / pixelsPerSecond(8, 0, 450)).toBeCloseTo(4, 6);
});

it("lets a ring go on beyond the antimeridian, and come back", () => {
  const ring = [[170, 60], [180, 65], [-180, 65], [-170, 66], [179, 70], [170, 60]];
  expect(unwrapped(ring).map(([longitude]) => longitude)).toEqual([170, 180, 180, 190, 179, 170]);
  expect(unwrapped([[-179, 0], [178, 1]])).toEqual([[-179, 0], [-182, 1]]);
  expect(unwrapped([[0, 1], [5, 2]])).toEqual([[0, 1], [5, 2]]);
});
