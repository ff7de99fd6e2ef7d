/**
 * The aircraft on a canvas of their own above the map: while they fly and nobody moves the map, the map is not drawn anew.
 *
 * What they are goes to the graphics card when something is reported (vertices.ts), where they are it reckons by itself
 * for each picture (shaders.ts).
 */

import type { Map as MapView } from "maplibre-gl";

import type { Colour } from "./colours";
import { type Aircraft, type Fleet, placeOf } from "./fleet";
import { pixelsPerSecond, project, shortWay } from "./geo";
import { FRAGMENT, VERTEX } from "./shaders";
import { CORNERS, LAYOUT, Vertices, WORDS } from "./vertices";
import { apartPx, placeAt, screenOf, turns, type View } from "./view";

const SIZE_PX = 26;
const DOT_PX = 14; // of the square that a symbol would have; three fifths of it are seen
const OUTLINE_PX = 0.9;
const WHOLE_SIZE_ZOOM = 7; // from here on symbols have their size; far out, where they crowd, less of it
const LEAST_SIZE_ZOOM = 3;
const LEAST_SIZE = 0.45;
const FASTEST_KT = 650;
const STEP_PX = 0.25; // what moves by less since the last picture is not seen to move
const FAR_PX = 2 ** 17; // from the anchor: there, 32 bits tell apart what is 1/64 of a pixel apart
const UNIFORMS = [
  "u_middle", "u_turn", "u_world", "u_viewport", "u_now", "u_size", "u_dot", "u_edge", "u_outline", "u_line",
] as const; // prettier-ignore

export interface Shown {
  aircraft: Aircraft;
  x: number; // screen pixels
  y: number;
}

export class AircraftLayer {
  /** Told after each picture. */
  drew: () => void = () => undefined;
  /** Which aircraft are drawn; the others are there and not seen. */
  wanted: (aircraft: Aircraft) => boolean = () => true;
  /** The line around each symbol: dark on a light map and the reverse. */
  outline: Colour = [0.05, 0.08, 0.12];
  /** The flight that is drawn larger and above the others; null: none. */
  selected: string | null = null;
  /** How many pictures there were. */
  pictures = 0;

  private readonly canvas = document.createElement("canvas");
  private readonly gl: WebGL2RenderingContext;
  private readonly vertices = new Vertices();
  private uniforms: Record<string, WebGLUniformLocation | null> = {};
  private shown: Aircraft[] = [];
  private isStale = true; // what is on the card is not what is to be shown
  private isAsked = false; // a picture is on its way
  private drawnAt = 0; // the clock of the picture

  constructor(
    private readonly map: MapView,
    private readonly fleet: Fleet,
    private readonly clock: () => number,
  ) {
    this.canvas.className = "over";
    map.getCanvas().after(this.canvas);
    const gl = this.canvas.getContext("webgl2", { antialias: false, depth: false });
    if (gl === null) throw new Error("the aircraft cannot be drawn here: this browser has no WebGL 2");
    this.gl = gl;
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.prepare();
      this.refresh();
    });
    this.prepare();
    map.on("render", () => this.draw()); // the map has moved: in the same picture
  }

  /** Other aircraft are to be seen than were, or otherwise: soon they are. */
  refresh(): void {
    this.isStale = true;
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Whether aircraft can have moved visibly since the last picture: over a continent that takes seconds. */
  isDue(): boolean {
    const speed = pixelsPerSecond(this.map.getZoom(), this.map.getCenter().lat, FASTEST_KT);
    return (Math.abs(this.clock() - this.drawnAt) / 1000) * speed >= STEP_PX;
  }

  draw(): void {
    const { gl, map } = this;
    const view = this.view();
    this.isAsked = false;
    this.drawnAt = this.clock();
    this.fit(map.getPixelRatio());
    if (this.isStale || this.isFar(view)) this.write(view);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.setUniforms(view, map.getPixelRatio());
    for (const turn of turns(view)) {
      gl.uniform1f(this.uniforms["u_turn"]!, turn);
      gl.drawArrays(gl.TRIANGLES, 0, this.shown.length * CORNERS);
    }
    this.pictures += 1;
    this.drew();
  }

  /** The aircraft nearest to a point of the screen, within so many pixels. */
  nearest(x: number, y: number, withinPx: number): Aircraft | null {
    const view = this.view();
    const point = placeAt(view, x, y);
    const place = { x: 0, y: 0 };
    let best: Aircraft | null = null;
    let bestPx = withinPx;
    for (const aircraft of this.shown) {
      const px = apartPx(view, point, placeOf(aircraft, this.drawnAt, place));
      if (px > bestPx) continue;
      best = aircraft;
      bestPx = px;
    }
    return best;
  }

  /** The aircraft within the picture, with their places on the screen: at most so many, whichever. */
  onScreen(most = Infinity): Shown[] {
    const view = this.view();
    const found: Shown[] = [];
    const place = { x: 0, y: 0 };
    for (const aircraft of this.shown) {
      const { x, y } = screenOf(view, placeOf(aircraft, this.drawnAt, place));
      if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
      if (found.push({ aircraft, x, y }) >= most) break;
    }
    return found;
  }

  /** The picture as the map has it now. */
  view(): View {
    const { lat, lng } = this.map.getCenter();
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return { middle: project(lat, lng), worldPx: 512 * 2 ** this.map.getZoom(), width, height };
  }

  private isFar({ middle, worldPx }: View): boolean {
    const { anchor } = this.vertices;
    return Math.max(Math.abs(shortWay(anchor.x, middle.x)), Math.abs(anchor.y - middle.y)) * worldPx > FAR_PX;
  }

  /** Brings what is to be shown to the card. */
  private write(view: View): void {
    const { gl, selected } = this;
    this.shown = [...this.fleet.aircraft.values()].filter(
      (aircraft) => aircraft.position.flight_id !== selected && this.wanted(aircraft),
    );
    const chosen = selected === null ? undefined : this.fleet.aircraft.get(selected);
    if (chosen !== undefined) this.shown.push(chosen);
    this.vertices.write(this.shown, selected, { ...view.middle, timeMs: this.drawnAt });
    const { floats } = this.vertices;
    gl.bufferData(gl.ARRAY_BUFFER, floats, gl.DYNAMIC_DRAW, 0, this.shown.length * CORNERS * WORDS);
    this.isStale = false;
  }

  private setUniforms({ middle, worldPx, width, height }: View, ratio: number): void {
    const { gl, uniforms } = this;
    const { anchor } = this.vertices;
    const set = (name: (typeof UNIFORMS)[number], value: number) => gl.uniform1f(uniforms[name]!, value);
    gl.uniform2f(uniforms["u_middle"]!, shortWay(anchor.x, middle.x), middle.y - anchor.y);
    gl.uniform2f(uniforms["u_viewport"]!, width * ratio, height * ratio);
    gl.uniform3f(uniforms["u_outline"]!, ...this.outline);
    set("u_now", (this.drawnAt - anchor.timeMs) / 1000);
    set("u_world", worldPx * ratio);
    const share = sizeAt(this.map.getZoom());
    set("u_size", SIZE_PX * ratio * share);
    set("u_dot", DOT_PX * ratio);
    set("u_line", OUTLINE_PX * ratio * share);
    set("u_edge", OUTLINE_PX * ratio * share + 0.5);
  }

  /** Gives the canvas as many pixels as the map's has. */
  private fit(ratio: number): void {
    const { canvas, gl } = this;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    gl.viewport(0, 0, width, height);
  }

  /** Program, layout and state: this context draws nothing else, so all is set once. */
  private prepare(): void {
    const { gl } = this;
    const program = link(gl);
    gl.useProgram(program);
    this.uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]));
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    let offset = 0;
    for (const [name, words] of LAYOUT) {
      const location = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(location);
      if (name === "a_colour") gl.vertexAttribPointer(location, 4, gl.UNSIGNED_BYTE, true, WORDS * 4, offset * 4);
      else gl.vertexAttribPointer(location, words, gl.FLOAT, false, WORDS * 4, offset * 4);
      offset += words;
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    this.isStale = true;
  }
}

/** The share of their size that symbols have at a zoom. */
function sizeAt(zoom: number): number {
  const share = (zoom - LEAST_SIZE_ZOOM) / (WHOLE_SIZE_ZOOM - LEAST_SIZE_ZOOM);
  return LEAST_SIZE + (1 - LEAST_SIZE) * Math.max(0, Math.min(1, share));
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`the aircraft cannot be drawn here: ${gl.getProgramInfoLog(program) ?? "no reason given"}`);
  }
  return program;
}
