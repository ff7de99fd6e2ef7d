/** Callsigns beside the aircraft, where there is room for them: on a canvas of their own, since no font server is there. */

import type { AircraftLayer, Shown } from "./aircraft-layer";

const MOST = 120; // more aircraft than this in the picture: names would cover them
const APART_PX = 17;

export class Labels {
  private readonly canvas = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d")!;
  private isBlank = false;

  constructor(
    container: HTMLElement,
    private readonly layer: AircraftLayer,
  ) {
    this.canvas.className = "labels";
    this.canvas.setAttribute("aria-hidden", "true");
    container.append(this.canvas);
  }

  /** Draws them for the picture of this moment. */
  draw(): void {
    const shown = this.layer.onScreen(MOST + 1);
    const isCrowded = shown.length > MOST;
    if (isCrowded && this.isBlank) return; // a canvas that is touched is composed anew, each picture
    this.isBlank = isCrowded;
    const ratio = window.devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    if (isCrowded) return;
    const style = getComputedStyle(document.documentElement);
    this.context.font = "11px system-ui, sans-serif";
    this.context.fillStyle = style.getPropertyValue("--ink");
    this.context.strokeStyle = style.getPropertyValue("--halo");
    this.context.lineWidth = 3;
    this.context.lineJoin = "round";
    for (const { aircraft, x, y } of withRoom(shown)) {
      const name = aircraft.position.callsign ?? aircraft.position.icao24;
      this.context.strokeText(name, x + 14, y + 4);
      this.context.fillText(name, x + 14, y + 4);
    }
  }
}

/** Those whose names cover no other name: from the top down, the first in a place has it. */
function withRoom(shown: Shown[]): Shown[] {
  const placed: Shown[] = [];
  for (const one of [...shown].sort((a, b) => a.y - b.y)) {
    const covers = placed.some((other) => Math.abs(other.y - one.y) < APART_PX && Math.abs(other.x - one.x) < 4 * APART_PX);
    if (!covers) placed.push(one);
  }
  return placed;
}
