/** The slider under the map: the last 24 hours, with now at its right end and the gaps of history marked. */

import type { Api, Gap } from "./api";
import type { Feed } from "./feed";
import { byId, isTyping, make } from "./page";

const SPAN_MS = 24 * 3_600_000;
const NOW_SHARE = 0.9995; // of the slider: its last half minute is now
const GAPS_EACH_MS = 60_000;

export class Timeline {
  private readonly slider = byId<HTMLInputElement>("time");
  private readonly play = byId<HTMLButtonElement>("play");
  private readonly live = byId<HTMLButtonElement>("live");
  private readonly speed = byId<HTMLSelectElement>("speed");
  private readonly when = byId<HTMLOutputElement>("when");
  private readonly marks = byId("gap-marks");
  private held = false; // the slider is in somebody's hand

  constructor(
    private readonly feed: Feed,
    private readonly api: Api,
    private readonly changed: () => void,
  ) {
    this.slider.addEventListener("pointerdown", () => (this.held = true));
    this.slider.addEventListener("pointerup", () => (this.held = false));
    this.slider.addEventListener("input", () => this.say(this.timeOf(Number(this.slider.value))));
    this.slider.addEventListener("change", () => this.go(Number(this.slider.value)));
    this.play.addEventListener("click", () => this.toggle());
    this.live.addEventListener("click", () => this.goLive());
    this.speed.addEventListener("change", () => {
      if (this.feed.speed) this.feed.replay(this.feed.clock(), Number(this.speed.value));
    });
    void this.showGaps();
  }

  goLive(): void {
    this.feed.goLive();
    this.changed();
    this.tick();
  }

  /** Shows that time, and goes on from there. */
  goTo(timeMs: number): void {
    this.feed.replay(timeMs, Number(this.speed.value));
    this.changed();
    this.tick();
  }

  /** Plays or pauses the past; the present is not paused. */
  toggle(): void {
    if (this.feed.isLive) return;
    this.feed.replay(this.feed.clock(), this.feed.speed === 0 ? Number(this.speed.value) : 0);
    this.changed();
    this.tick();
  }

  key(event: KeyboardEvent): boolean {
    if (isTyping(event)) return false;
    if (event.key === " ") this.toggle();
    else if (event.key === "l") this.goLive();
    else return false;
    return true;
  }

  /** Brings slider and text to the clock; the past that has caught up with now is the present. */
  tick(): void {
    const clock = this.feed.clock();
    if (!this.feed.isLive && clock >= Date.now()) this.goLive();
    this.live.setAttribute("aria-pressed", String(this.feed.isLive));
    this.play.disabled = this.feed.isLive;
    this.play.textContent = this.feed.speed === 0 || this.feed.isLive ? "▶" : "❚❚";
    if (this.held) return;
    this.slider.value = this.feed.isLive ? "1" : String(1 - (Date.now() - clock) / SPAN_MS);
    this.say(this.feed.isLive ? null : clock);
  }

  private go(share: number): void {
    this.held = false;
    const time = this.timeOf(share);
    if (time === null) this.goLive();
    else this.goTo(time);
  }

  private timeOf(share: number): number | null {
    return share >= NOW_SHARE ? null : Date.now() - (1 - share) * SPAN_MS;
  }

  private say(time: number | null): void {
    this.when.textContent = time === null ? "now" : `${new Date(time).toISOString().slice(5, 19).replace("T", " ")} UTC`;
  }

  private async showGaps(): Promise<void> {
    const now = Date.now();
    const gaps = await this.api.gaps(now - SPAN_MS, now).catch((): Gap[] => []);
    this.marks.replaceChildren(
      ...gaps.map((gap) => {
        const from = Math.max(0, 1 - (now - Date.parse(gap.from_time)) / SPAN_MS);
        const to = gap.to_time === null ? 1 : 1 - (now - Date.parse(gap.to_time)) / SPAN_MS;
        const mark = make("span", { title: `no data: ${gap.source || gap.hop}` });
        mark.style.left = `${from * 100}%`;
        mark.style.width = `max(2px, ${(to - from) * 100}%)`;
        return mark;
      }),
    );
    window.setTimeout(() => void this.showGaps(), GAPS_EACH_MS);
  }
}
