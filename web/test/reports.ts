import type { Position } from "../src/api";

export const NOW = Date.parse("2026-01-31T12:00:00Z");

/** What is reported of a flight so many seconds after NOW. */
export function report(seconds: number, more: Partial<Position> = {}): Position {
  return {
    flight_id: "3c6444-697dd5a0",
    icao24: "3c6444",
    time: new Date(NOW + seconds * 1000).toISOString(),
    latitude: 47,
    longitude: 8,
    altitude_ft: 35_000,
    on_ground: false,
    ground_speed_kt: 450,
    track_deg: 90,
    vertical_rate_fpm: 0,
    callsign: "SWR1",
    squawk: null,
    emergency: null,
    kind: "adsb",
    source: "test",
    ...more,
  };
}
