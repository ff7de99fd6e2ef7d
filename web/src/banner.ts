/** What is wrong with the picture, said above it: a stall, a part that is missing, a platform that does not answer. */

import type { Told } from "./feed";
import { byId, duration } from "./page";

const STALL_S = 15; // silence that counts as a stall, as the platform's own alerts have it
const PATIENCE_MS = 3_000; // one answer that fails is not worth a word

/** The sentence for what was told, or null where all is well; `now` is the own clock, Unix milliseconds. */
export function sentence(told: Told, now: number): { text: string; severe: boolean } | null {
  if (told.problem !== null) {
    const since = now - (told.failingSince ?? now);
    return since < PATIENCE_MS ? null : { text: `No answer for ${duration(since / 1000)}: ${told.problem}`, severe: true };
  }
  const sky = told.sky;
  if (sky === null) return null;
  if (sky.ageS !== null && sky.ageS > STALL_S) {
    return { text: `Nothing new for ${duration(sky.ageS)}: the positions below are old`, severe: true };
  }
  if (sky.partial && sky.ageS === null) return { text: "Nothing keeps this map current: no live consumer writes", severe: true };
  if (sky.partial) return { text: `Some aircraft are missing (${sky.missing.join(", ")})`, severe: false };
  if (sky.truncated) return { text: "More aircraft than can be shown: zoom in", severe: false };
  return null;
}

export class Banner {
  private readonly root = byId("banner");

  show(told: Told): void {
    const words = sentence(told, Date.now());
    this.root.hidden = words === null;
    if (words === null || this.root.textContent === words.text) return;
    this.root.textContent = words.text;
    this.root.classList.toggle("severe", words.severe);
  }
}
