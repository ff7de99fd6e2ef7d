/** The picture as arithmetic: a flat map, north up, so that places of the unit square and pixels are a step apart. */

import { type Place, shortWay } from "./geo";

/** Lengths are CSS pixels. */
export interface View {
  middle: Place;
  worldPx: number; // the unit square's side
  width: number;
  height: number;
}

/** Where a place is in the picture, in pixels from its upper left corner: of the world's copies, the one nearest to its middle. */
export function screenOf(view: View, place: Place): Place {
  return {
    x: view.width / 2 + shortWay(view.middle.x, place.x) * view.worldPx,
    y: view.height / 2 + (place.y - view.middle.y) * view.worldPx,
  };
}

/** The place at a point of the picture; the inverse of `screenOf`. */
export function placeAt(view: View, x: number, y: number): Place {
  return {
    x: view.middle.x + (x - view.width / 2) / view.worldPx,
    y: view.middle.y + (y - view.height / 2) / view.worldPx,
  };
}

/** Pixels between two places, the short way round the world. */
export function apartPx(view: View, one: Place, other: Place): number {
  return Math.hypot(shortWay(one.x, other.x), one.y - other.y) * view.worldPx;
}

/** By how many turns of the world what is in the picture is to be repeated: far out, the map shows the world more than once. */
export function turns(view: View): number[] {
  const aside = Math.max(0, Math.ceil((view.width / view.worldPx - 1) / 2));
  return Array.from({ length: 2 * aside + 1 }, (_, index) => index - aside);
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * How the picture must move, in pixels, so that a point beneath a box of the page (or within half the margin of it) comes
 * out of it, into the largest stretch of the picture beside it and `marginPx` within that; no move where it is not covered.
 */
export function uncovered(point: Place, cover: Box, picture: Box, marginPx: number): Place {
  const nearPx = marginPx / 2; // what was moved once and flies on is not moved again for each pixel
  const covered =
    point.x > cover.left - nearPx && point.x < cover.right + nearPx &&
    point.y > cover.top - nearPx && point.y < cover.bottom + nearPx; // prettier-ignore
  if (!covered) return { x: 0, y: 0 };
  const free = [
    { ...picture, right: cover.left },
    { ...picture, left: cover.right },
    { ...picture, bottom: cover.top },
    { ...picture, top: cover.bottom },
  ].reduce((best, box) => (area(box) > area(best) ? box : best));
  return {
    x: within(point.x, free.left + marginPx, free.right - marginPx) - point.x,
    y: within(point.y, free.top + marginPx, free.bottom - marginPx) - point.y,
  };
}

function area({ left, top, right, bottom }: Box): number {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

/** The nearest between two bounds; the middle where there is nothing between them. */
function within(value: number, low: number, high: number): number {
  return low > high ? (low + high) / 2 : Math.max(low, Math.min(high, value));
}
