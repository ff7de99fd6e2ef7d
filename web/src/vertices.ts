/**
 * The aircraft as the graphics card takes them: a triangle each, whose three corners carry all that moves and colours it, so
 * that a picture needs no more than the time. Written anew when something is reported, not for each picture.
 *
 * No instances: where the processor draws, each instance costs as much as a draw call.
 */

import { colourOf } from "./colours";
import { type Aircraft, opacityOf } from "./fleet";
import { type Place, shortWay } from "./geo";

export const CORNERS = 3;
/** The attributes of a corner in their order: name, and how many 32-bit floats (the colour is four bytes). */
export const LAYOUT = [
  ["a_place", 2], // of the report, from the anchor, in units of the unit square
  ["a_velocity", 2], // a second
  ["a_off", 2], // what was to be blended away...
  ["a_times", 2], // of the report, and when `a_off` was so: seconds from the anchor's
  ["a_symbol", 2], // track in radians; size as a share of a symbol's, negative for a dot
  ["a_colour", 1], // the fourth byte: opacity
] as const;
export const WORDS = LAYOUT.reduce((sum, [, words]) => sum + words, 0);
const SELECTED_TIMES = 1.5;

/** Where and when the numbers count from, in 32 bits: near the picture, and now. */
export interface Anchor extends Place {
  timeMs: number; // Unix
}

export class Vertices {
  floats = new Float32Array(0);
  private bytes = new Uint8Array(0);
  anchor: Anchor = { x: 0.5, y: 0.5, timeMs: 0 };

  /** Writes these aircraft; the selected one is drawn larger and never fades. */
  write(aircraft: readonly Aircraft[], selected: string | null, anchor: Anchor): void {
    this.anchor = anchor;
    const needed = aircraft.length * CORNERS * WORDS;
    if (this.floats.length < needed) {
      this.floats = new Float32Array(2 * needed);
      this.bytes = new Uint8Array(this.floats.buffer);
    }
    aircraft.forEach((one, index) => this.writeOne(one, index * CORNERS * WORDS, one.position.flight_id === selected));
  }

  private writeOne(aircraft: Aircraft, at: number, isSelected: boolean): void {
    const { floats, bytes, anchor } = this;
    const { altitude_ft: altitude, on_ground: onGround, track_deg: track } = aircraft.position;
    const isDot = onGround === true || track === null;
    floats[at] = shortWay(anchor.x, aircraft.x);
    floats[at + 1] = aircraft.y - anchor.y;
    floats[at + 2] = aircraft.velocityX;
    floats[at + 3] = aircraft.velocityY;
    floats[at + 4] = aircraft.offX;
    floats[at + 5] = aircraft.offY;
    floats[at + 6] = (aircraft.time - anchor.timeMs) / 1000;
    floats[at + 7] = (aircraft.offAt - anchor.timeMs) / 1000;
    floats[at + 8] = ((track ?? 0) * Math.PI) / 180;
    floats[at + 9] = (isSelected ? SELECTED_TIMES : 1) * (isDot ? -1 : 1);
    const colour = colourOf(altitude, onGround);
    const byte = (at + 10) * 4;
    for (let part = 0; part < 3; part += 1) bytes[byte + part] = Math.round(colour[part]! * 255);
    bytes[byte + 3] = isSelected ? 255 : Math.round(opacityOf((anchor.timeMs - aircraft.time) / 1000) * 255);
    for (let corner = 1; corner < CORNERS; corner += 1) floats.copyWithin(at + corner * WORDS, at, at + WORDS);
  }
}
