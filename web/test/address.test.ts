import { expect, it } from "vitest";

import { read, type Shared, write } from "../src/address";

const SEEN: Shared = {
  view: { latitude: 47.4567, longitude: -8.5432, zoom: 6.25 },
  flight: "~3c6444-67a1b2c3",
  time: Date.parse("2026-01-31T12:00:07Z"),
  filter: { lowFt: 10_000, highFt: null, ground: false, source: "roof&yard" },
  theme: "dark",
};

it("is what it was when it is opened elsewhere", () => {
  expect(read(write(SEEN))).toEqual(SEEN);
});

it.each(["", "#", "#map=x/y/z", "#flight=<script>", "#time=noon", "#theme=pink&low=1.5"])("takes nothing from %s", (hash) => {
  expect(read(hash)).toEqual(read(""));
});
