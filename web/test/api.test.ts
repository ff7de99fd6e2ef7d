import { afterEach, expect, it, vi } from "vitest";

import { Api } from "../src/api";

const NOW = Date.parse("2026-01-31T12:00:00Z");

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it.each([
  ["registration", 31],
  ["icao24", 31],
  ["callsign", 1],
] as const)("looks for a %s as far back as history answers", async (by, days) => {
  vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
  const asked: URL[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(new URL(url));
    return Promise.resolve(Response.json({ flights: [] }));
  });
  await new Api("", "http://history.test").findFlights(by, "D-AIBD");
  expect(asked).toHaveLength(1);
  expect(asked[0]!.searchParams.get(by)).toBe("D-AIBD");
  const back = NOW - Date.parse(asked[0]!.searchParams.get("from")!);
  expect(back).toBeGreaterThan((days - 0.01) * 86_400_000);
  expect(back).toBeLessThan(days * 86_400_000); // the longest window that is not refused
});
