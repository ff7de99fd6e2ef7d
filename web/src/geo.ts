/** Web Mercator, with the world as the unit square (x east, y south), and motion over it. */

const EARTH_RADIUS_M = 6_371_008.8; // mean radius, as the platform's own distances use it
const KNOT_M_S = 0.514444;
const DEGREE = Math.PI / 180;
const HIGHEST_LATITUDE = 85.051129; // where the square ends

export interface Place {
  x: number;
  y: number;
}

/** The place of a latitude and longitude in degrees. */
export function project(latitude: number, longitude: number): Place {
  const bounded = Math.max(-HIGHEST_LATITUDE, Math.min(HIGHEST_LATITUDE, latitude));
  const y = 0.5 - Math.log(Math.tan(Math.PI / 4 + (bounded * DEGREE) / 2)) / (2 * Math.PI);
  return { x: longitude / 360 + 0.5, y };
}

/** Latitude and longitude in degrees of a place; the inverse of `project`. */
export function unproject(place: Place): { latitude: number; longitude: number } {
  const latitude = (2 * Math.atan(Math.exp((0.5 - place.y) * 2 * Math.PI)) - Math.PI / 2) / DEGREE;
  return { latitude, longitude: wrapDegrees((place.x - 0.5) * 360) };
}

/** A longitude within -180 and 180 degrees. */
export function wrapDegrees(longitude: number): number {
  return longitude - 360 * Math.floor((longitude + 180) / 360);
}

/**
 * Units of the square that one second takes a mover at that latitude, along each axis.
 *
 * Over the seconds that a report is stretched to (20 at most) a straight line on the map and the true way differ by
 * less than a pixel.
 */
export function velocity(latitude: number, groundSpeedKt: number, trackDeg: number): Place {
  const turns = (groundSpeedKt * KNOT_M_S) / (2 * Math.PI * EARTH_RADIUS_M * Math.max(0.01, Math.cos(latitude * DEGREE)));
  return { x: turns * Math.sin(trackDeg * DEGREE), y: -turns * Math.cos(trackDeg * DEGREE) };
}

/**
 * A ring or line of longitudes and latitudes that goes on beyond 180 degrees where it crosses the antimeridian: with a jump
 * to the other side of the world, a filling would cross it all.
 */
export function unwrapped(line: readonly number[][]): number[][] {
  let turns = 0;
  return line.map(([longitude, latitude], index) => {
    const step = longitude! - (line[index - 1]?.[0] ?? longitude!);
    if (Math.abs(step) > 180) turns -= Math.sign(step);
    return [longitude! + 360 * turns, latitude!];
  });
}

/** CSS pixels that one second takes a mover of that speed at that zoom (512 pixels of world at 0) and latitude. */
export function pixelsPerSecond(zoom: number, latitude: number, groundSpeedKt: number): number {
  const speed = velocity(latitude, groundSpeedKt, 90);
  return speed.x * 512 * 2 ** zoom;
}

/** The signed way from one x to another, the short way round the world. */
export function shortWay(from: number, to: number): number {
  const way = to - from;
  return way - Math.round(way);
}
