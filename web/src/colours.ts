/** Altitude as colour: warm near the ground, through green, to violet at cruise. Even steps to the eye, on dark and light. */

/** Feet and hue (degrees), lightness and chroma of OKLCH; between two stops it is linear. */
const STOPS: readonly (readonly [number, number, number, number])[] = [
  [0, 45, 0.72, 0.16],
  [5_000, 75, 0.78, 0.16],
  [10_000, 115, 0.8, 0.15],
  [20_000, 165, 0.78, 0.12],
  [30_000, 235, 0.72, 0.12],
  [36_000, 285, 0.66, 0.18],
  [42_000, 325, 0.68, 0.22],
];

export const UNKNOWN: Colour = [0.62, 0.65, 0.68];
export const ON_GROUND: Colour = [0.56, 0.53, 0.5];

export type Colour = readonly [number, number, number]; // sRGB, each 0 to 1

const STEP_FT = 100; // finer is no difference to the eye
const made = new Map<number, Colour>(); // thousands of aircraft are coloured for each picture, in a few hundred steps

/** The colour of a barometric altitude in feet. */
export function colourOf(altitudeFt: number | null, onGround: boolean | null = null): Colour {
  if (onGround === true) return ON_GROUND;
  if (altitudeFt === null) return UNKNOWN;
  const step = Math.round(altitudeFt / STEP_FT);
  let colour = made.get(step);
  if (colour === undefined) {
    colour = onRamp(step * STEP_FT);
    made.set(step, colour);
  }
  return colour;
}

function onRamp(altitudeFt: number): Colour {
  const index = STOPS.findIndex(([feet]) => feet > altitudeFt);
  const first = STOPS[0]!;
  const last = STOPS[STOPS.length - 1]!;
  if (index === 0) return fromOklch(first[2], first[3], first[1]);
  if (index < 0) return fromOklch(last[2], last[3], last[1]);
  const below = STOPS[index - 1]!;
  const above = STOPS[index]!;
  const share = (altitudeFt - below[0]) / (above[0] - below[0]);
  const mix = (from: number, to: number) => from + (to - from) * share;
  return fromOklch(mix(below[2], above[2]), mix(below[3], above[3]), mix(below[1], above[1]));
}

/** As CSS has it. */
export function css(colour: Colour): string {
  return `rgb(${colour.map((part) => Math.round(part * 255)).join(" ")})`;
}

/** The ramp for the legend: `steps` colours from the ground to the highest stop. */
export function ramp(steps: number): string[] {
  const highest = STOPS[STOPS.length - 1]![0];
  return Array.from({ length: steps }, (_, step) => css(colourOf((highest * step) / (steps - 1))));
}

/** Björn Ottosson's OKLab (bottosson.github.io/posts/oklab), polar form, to gamma-corrected sRGB. */
function fromOklch(lightness: number, chroma: number, hueDeg: number): Colour {
  const a = chroma * Math.cos((hueDeg * Math.PI) / 180);
  const b = chroma * Math.sin((hueDeg * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function gamma(linear: number): number {
  const bounded = Math.max(0, Math.min(1, linear));
  return bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055;
}
