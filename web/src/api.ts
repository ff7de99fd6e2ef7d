/** What the page asks of the platform's two APIs; names and units are those of their answers. */

export interface Position {
  flight_id: string;
  icao24: string;
  time: string;
  latitude: number;
  longitude: number;
  altitude_ft: number | null;
  on_ground: boolean | null;
  ground_speed_kt: number | null;
  track_deg: number | null;
  vertical_rate_fpm: number | null;
  callsign: string | null;
  squawk: string | null;
  emergency: string | null;
  kind: string | null;
  source: string | null;
}

/** The sky as one answer tells it. `ageS` is null where the platform has not seen any report. */
export interface Sky {
  time: number; // Unix milliseconds, by the server's clock
  ageS: number | null;
  partial: boolean;
  missing: string[];
  truncated: boolean;
  positions: Position[];
}

export interface Bounds {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** A flight as history knows it; what it has not worked out is absent or null. */
export interface Flight {
  flight_id: string;
  icao24: string;
  callsign?: string | null;
  registration?: string | null;
  type_code?: string | null;
  departure_airport?: string | null;
  arrival_airport?: string | null;
  first_time?: string | null;
  last_time?: string | null;
}

export interface Gap {
  source: string;
  hop: string;
  from_time: string;
  to_time: string | null;
}

/** The answer was no answer: what the problem (RFC 9457) says, or that nobody answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The APIs. `historyBase` is empty where both are behind one address, as they are behind the edge. */
export class Api {
  constructor(
    private readonly liveBase: string,
    private readonly historyBase: string,
  ) {}

  async live(bounds: Bounds | null, signal?: AbortSignal): Promise<Sky> {
    const query = bounds === null ? "" : `?bbox=${boxText(bounds)}`;
    const answer = await ask<LiveAnswer>(`${this.liveBase}/v1/live${query}`, signal);
    return {
      time: Date.parse(answer.time),
      ageS: answer.age_s,
      partial: answer.partial,
      missing: answer.missing,
      truncated: answer.truncated,
      positions: answer.flights,
    };
  }

  async findLive(callsign: string, signal?: AbortSignal): Promise<Position[]> {
    const query = `callsign=${encodeURIComponent(callsign)}&limit=10`;
    return (await ask<LiveAnswer>(`${this.liveBase}/v1/live?${query}`, signal)).flights;
  }

  async liveFlight(flightId: string, signal?: AbortSignal): Promise<Position> {
    return ask<Position>(`${this.liveBase}/v1/live/${encodeURIComponent(flightId)}`, signal);
  }

  /** The sky as it was at an instant (Unix milliseconds). */
  async then(timeMs: number, bounds: Bounds | null, signal?: AbortSignal): Promise<Sky> {
    const box = bounds === null ? "" : `&bbox=${boxText(bounds)}`;
    const at = encodeURIComponent(new Date(timeMs).toISOString());
    const answer = await ask<InstantAnswer>(`${this.historyBase}/v1/positions?time=${at}${box}`, signal);
    return {
      time: timeMs,
      ageS: null,
      partial: false,
      missing: [],
      truncated: answer.truncated ?? false,
      positions: answer.positions,
    };
  }

  async track(flightId: string, signal?: AbortSignal): Promise<Position[]> {
    const answer = await ask<{ positions: Position[] }>(this.trackUrl(flightId, "json"), signal);
    return answer.positions;
  }

  trackUrl(flightId: string, format: string): string {
    return `${this.historyBase}/v1/flights/${encodeURIComponent(flightId)}/track?format=${format}`;
  }

  async flight(flightId: string, signal?: AbortSignal): Promise<Flight> {
    return ask<Flight>(`${this.historyBase}/v1/flights/${encodeURIComponent(flightId)}`, signal);
  }

  async findFlights(by: "callsign" | "registration" | "icao24", text: string, signal?: AbortSignal): Promise<Flight[]> {
    const days = by === "callsign" ? 1 : 31; // the longest windows that are answered: of all aircraft, and of one
    const from = new Date(Date.now() - days * 86_400_000 + 60_000).toISOString(); // less a minute: clocks differ
    const query = `${by}=${encodeURIComponent(text)}&from=${from}&limit=5`;
    return (await ask<{ flights: Flight[] }>(`${this.historyBase}/v1/flights?${query}`, signal)).flights;
  }

  /** Stretches for which data are missing for good. */
  async gaps(fromMs: number, toMs: number, signal?: AbortSignal): Promise<Gap[]> {
    const query = `from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`;
    return (await ask<{ gaps: Gap[] }>(`${this.historyBase}/v1/gaps?${query}`, signal)).gaps;
  }
}

interface LiveAnswer {
  time: string;
  age_s: number | null;
  partial: boolean;
  missing: string[];
  truncated: boolean;
  flights: Position[];
}

interface InstantAnswer {
  truncated?: boolean;
  positions: Position[];
}

function boxText(bounds: Bounds): string {
  return [bounds.west, bounds.south, bounds.east, bounds.north].map((edge) => edge.toFixed(2)).join(",");
}

async function ask<T>(url: string, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(10_000);
  let response: Response;
  try {
    response = await fetch(url, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "the platform does not answer");
  }
  if (!response.ok) {
    const problem: { detail?: string } = await response.json().catch(() => ({}));
    throw new ApiError(response.status, problem.detail ?? `the platform answered ${response.status}`);
  }
  return (await response.json()) as T;
}
