/** What is in the address after `#`, so that it can be shared: place, flight, time, filters, theme. */

export interface View {
  latitude: number;
  longitude: number;
  zoom: number;
}

export interface Shared {
  view: View | null;
  flight: string | null;
  time: number | null; // Unix milliseconds; null is now
  filter: { lowFt: number | null; highFt: number | null; ground: boolean; source: string | null };
  theme: "light" | "dark" | null;
}

const FLIGHT_ID = /^~?[0-9a-f]{6}-[0-9a-f]{8}$/;

/** Reads an address; what is not understood is as if it were not there. */
export function read(hash: string): Shared {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const [zoom, latitude, longitude] = (words.get("map") ?? "").split("/").map(Number);
  const known = [zoom, latitude, longitude].every((number) => Number.isFinite(number));
  const flight = words.get("flight");
  const time = Date.parse(words.get("time") ?? "");
  const theme = words.get("theme");
  return {
    view: known ? { zoom: zoom!, latitude: latitude!, longitude: longitude! } : null,
    flight: flight !== null && FLIGHT_ID.test(flight) ? flight : null,
    time: Number.isNaN(time) ? null : time,
    filter: {
      lowFt: whole(words.get("low")),
      highFt: whole(words.get("high")),
      ground: words.get("ground") !== "no",
      source: words.get("source"),
    },
    theme: theme === "light" || theme === "dark" ? theme : null,
  };
}

/** The address of what is seen. */
export function write(shared: Shared): string {
  const words: string[] = [];
  if (shared.view !== null) {
    const { zoom, latitude, longitude } = shared.view;
    words.push(`map=${zoom.toFixed(2)}/${latitude.toFixed(4)}/${longitude.toFixed(4)}`);
  }
  if (shared.flight !== null) words.push(`flight=${shared.flight}`);
  if (shared.time !== null) words.push(`time=${new Date(shared.time).toISOString().slice(0, 19)}Z`);
  if (shared.filter.lowFt !== null) words.push(`low=${shared.filter.lowFt}`);
  if (shared.filter.highFt !== null) words.push(`high=${shared.filter.highFt}`);
  if (!shared.filter.ground) words.push("ground=no");
  if (shared.filter.source !== null) words.push(`source=${encodeURIComponent(shared.filter.source)}`);
  if (shared.theme !== null) words.push(`theme=${shared.theme}`);
  return `#${words.join("&")}`;
}

function whole(text: string | null): number | null {
  const number = text === null ? Number.NaN : Number(text);
  return Number.isInteger(number) ? number : null;
}
