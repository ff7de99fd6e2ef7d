import { describe, expect, it } from "vitest";

import type { Sky } from "../src/api";
import { sentence } from "../src/banner";

const SKY: Sky = { time: 0, ageS: 0.4, partial: false, missing: [], truncated: false, positions: [] };
const told = (sky: Partial<Sky>) => ({ sky: { ...SKY, ...sky }, problem: null, failingSince: null });

describe("sentence", () => {
  it("says nothing where all is well, nor of an empty sky", () => {
    expect(sentence(told({}), 0)).toBeNull();
    expect(sentence(told({ ageS: null }), 0)).toBeNull();
  });

  it("tells a stall and for how long", () => {
    expect(sentence(told({ ageS: 23.4 }), 0)).toEqual({ text: expect.stringContaining("23 s"), severe: true });
  });

  it("names what is missing", () => {
    expect(sentence(told({ partial: true, missing: ["10.0.0.1:9851"] }), 0)?.text).toContain("10.0.0.1:9851");
  });

  it("tells a map that nobody keeps current from one with a part missing", () => {
    expect(sentence(told({ ageS: null, partial: true, missing: ["all partitions"] }), 0)?.severe).toBe(true);
  });

  it("forgives one failed answer and tells of several", () => {
    const failing = { sky: null, problem: "the platform does not answer", failingSince: 1_000 };
    expect(sentence(failing, 2_000)).toBeNull();
    expect(sentence(failing, 9_000)?.severe).toBe(true);
  });
});
