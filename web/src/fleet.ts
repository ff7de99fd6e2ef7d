/**
 * The flights on the map and where each is drawn: between two reports it moves on as it last flew, and what a new report
 * corrects is blended in, so that nothing jumps.
 *
 * Pure: time comes in, numbers go out. Drawing is `aircraft-layer.ts`'s, fetching `feed.ts`'s.
 */

import type { Position } from "./api";
import { type Place, project, shortWay, velocity } from "./geo";

/** A position is stretched along its track for so long; then the aircraft waits where it is. */
export const STRETCH_S = 20;
/** A position of this age looks old: it fades from here on... */
export const OLD_S = 15;
/** ...and at this age it is gone, as it is from the platform's live window. */
export const GONE_S = 60;
/** What a new report corrects has gone to a third after this time. */
export const BLEND_S = 0.7;
const JUMP = 0.002; // of the world's width (80 km at the equator): so far off is another place, not a correction

export interface Aircraft {
  position: Position;
  time: number; // of the report, Unix milliseconds
  x: number; // of the report, in the unit square
  y: number;
  velocityX: number; // a second
  velocityY: number;
  offX: number; // what is still to be blended away
  offY: number;
  offAt: number; // when that was so, in the clock of the picture
}

export class Fleet {
  readonly aircraft = new Map<string, Aircraft>();

  /** Takes an answer; `now` is the clock of the picture, Unix milliseconds. Flights that it lacks stay until they are old. */
  take(positions: readonly Position[], now: number): void {
    for (const position of positions) this.takeOne(position, now);
    this.forget(now);
  }

  /** Empties the sky: another time, another place. */
  clear(): void {
    this.aircraft.clear();
  }

  private takeOne(position: Position, now: number): void {
    const time = Date.parse(position.time);
    const known = this.aircraft.get(position.flight_id);
    if (known !== undefined && known.time >= time) return;
    const place = project(position.latitude, position.longitude);
    const speed =
      position.ground_speed_kt === null || position.track_deg === null
        ? { x: 0, y: 0 }
        : velocity(position.latitude, position.ground_speed_kt, position.track_deg);
    const next: Aircraft = {
      position,
      time,
      x: place.x,
      y: place.y,
      velocityX: speed.x,
      velocityY: speed.y,
      offX: 0,
      offY: 0,
      offAt: now,
    };
    if (known !== undefined) {
      const seen = placeOf(known, now);
      const due = placeOf(next, now);
      const offX = shortWay(due.x, seen.x);
      const offY = seen.y - due.y;
      if (Math.hypot(offX, offY) < JUMP) {
        next.offX = offX;
        next.offY = offY;
      }
    }
    this.aircraft.set(position.flight_id, next);
  }

  private forget(now: number): void {
    for (const [flightId, aircraft] of this.aircraft) {
      if (now - aircraft.time > GONE_S * 1000) this.aircraft.delete(flightId);
    }
  }
}

/** Where an aircraft is drawn at that time; `into` is filled where it is given, for who asks for thousands at once. */
export function placeOf(aircraft: Aircraft, now: number, into: Place = { x: 0, y: 0 }): Place {
  const flownS = Math.max(-STRETCH_S, Math.min(STRETCH_S, (now - aircraft.time) / 1000));
  const left = Math.exp(-Math.max(0, now - aircraft.offAt) / (BLEND_S * 1000));
  into.x = aircraft.x + aircraft.velocityX * flownS + aircraft.offX * left;
  into.y = aircraft.y + aircraft.velocityY * flownS + aircraft.offY * left;
  return into;
}

/** How much of an aircraft is seen, from 1 (fresh) to 0.15 (about to go). */
export function opacityOf(ageS: number): number {
  if (ageS <= OLD_S) return 1;
  return Math.max(0.15, 1 - (0.85 * (ageS - OLD_S)) / (GONE_S - OLD_S));
}
