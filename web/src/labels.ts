/** Callsigns beside the aircraft, where there is room for them: on a canvas of their own, since no font server is there. */

import type { AircraftLayer, Shown } from "./aircraft-layer";

const MOST = 120; // more aircraft than this in the picture: names would cover them
const APART_PX = 17;

export class Labels {
  private readonly canvas = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d")!;

  constructor(
    container: HTMLElement,
    private readonly layer: AircraftLayer,
  ) {
    this.canvas.className = "over";
    this.canvas.setAttribute("aria-hidden", "true");
    container.append(this.canvas);
  }

  /** Draws them for the picture of this moment. */
  draw(): void {
    const shown = this.layer.onScreen(MOST + 1);
    this.canvas.hidden = shown.length > MOST; // a blank one is composed into each picture, too
    if (this.canvas.hidden) return;
    const ratio = window.devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    this.context.font = "11px system-ui, sans-serif";
    this.context.fillStyle = style.getPropertyValue("--ink");
    this.context.strokeStyle = style.getPropertyValue("--halo");
    this.context.lineWidth = 3;
    this.context.lineJoin = "round";
    for (const { aircraft, x, y } of withRoom(shown, this.layer.selected)) {
      const name = aircraft.position.callsign ?? aircraft.position.icao24;
      this.context.strokeText(name, x + 14, y + 4);
      this.context.fillText(name, x + 14, y + 4);
    }
  }
}

/** Those whose names cover no other name: the selected one, then from the top down; the first in a place has it. */
function withRoom(shown: Shown[], selected: string | null): Shown[] {
  const placed: Shown[] = [];
  const rank = ({ aircraft, y }: Shown) => (aircraft.position.flight_id === selected ? -1 : y);
  for (const one of [...shown].sort((a, b) => rank(a) - rank(b))) {
    const covers = placed.some((other) => Math.abs(other.y - one.y) < APART_PX && Math.abs(other.x - one.x) < 4 * APART_PX);
    if (!covers) placed.push(one);
  }
  return placed;
}
