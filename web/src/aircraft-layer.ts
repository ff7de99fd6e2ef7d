/**
 * The aircraft as one MapLibre layer of its own: an instanced quad each, turned along its track and tinted by altitude.
 *
 * Places are reckoned in 64 bits each frame and handed over relative to the centre of the picture: 32-bit numbers of the
 * whole world would jitter from zoom 12 on. 10,000 of them are 360 kB a frame.
 */

import type { CustomLayerInterface, CustomRenderMethodInput, Map } from "maplibre-gl";

import { type Colour, colourOf } from "./colours";
import { type Aircraft, type Fleet, opacityOf, placeOf } from "./fleet";
import { pixelsPerSecond, project, shortWay } from "./geo";
import { ATLAS_CELLS, drawAtlas } from "./symbols";

const FLOATS = 9; // x, y, angle, size, red, green, blue, opacity, symbol
const SIZE_PX = 26;
const GROUND_PX = 11;
const WHOLE_SIZE_ZOOM = 7; // from here on symbols have their size; far out, where they crowd, half of it
const HALF_SIZE_ZOOM = 3;
const FASTEST_KT = 650;
const STEP_PX = 0.25; // what moves by less since the last picture is not seen to move
const SELECTED_TIMES = 1.5;
const UNIFORMS = ["u_matrix", "u_viewport", "u_bearing", "u_outline", "u_atlas"] as const;

const VERTEX = `#version 300 es
uniform mat4 u_matrix;
uniform vec2 u_viewport;
uniform float u_bearing;
in vec2 a_corner;
in vec2 a_place;
in vec2 a_turn;   // angle, size
in vec4 a_colour;
in float a_symbol;
out vec2 v_uv;
out vec4 v_colour;
void main() {
  vec4 clip = u_matrix * vec4(a_place, 0.0, 1.0);
  float angle = a_turn.x - u_bearing;
  mat2 turn = mat2(cos(angle), -sin(angle), sin(angle), cos(angle));
  vec2 offset = turn * (a_corner * a_turn.y);
  clip.xy += offset / u_viewport * 2.0 * clip.w;
  v_uv = vec2((a_symbol + a_corner.x + 0.5) / ${ATLAS_CELLS}.0, 0.5 - a_corner.y);
  v_colour = a_colour;
  gl_Position = clip;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D u_atlas;
uniform vec3 u_outline;
in vec2 v_uv;
in vec4 v_colour;
out vec4 colour;
void main() {
  vec4 texel = texture(u_atlas, v_uv);  // red: inside, alpha: inside or outline
  float inside = texel.a > 0.0 ? texel.r / texel.a : 0.0;
  vec3 shade = mix(u_outline, v_colour.rgb, inside);
  float alpha = texel.a * v_colour.a;
  colour = vec4(shade * alpha, alpha);
}`;

export interface Shown {
  aircraft: Aircraft;
  x: number; // screen pixels
  y: number;
}

export class AircraftLayer implements CustomLayerInterface {
  readonly id = "aircraft";
  readonly type = "custom" as const;
  readonly renderingMode = "2d" as const;

  /** The flight that is drawn larger; null: none. */
  selected: string | null = null;
  /** Which aircraft are drawn; the others are there and not seen. */
  wanted: (aircraft: Aircraft) => boolean = () => true;
  /** The line around each symbol: dark on a light map and the reverse. */
  outline: Colour = [0.05, 0.08, 0.12];
  /** How many were drawn in the last frame. */
  drawn = 0;

  private map: Map | null = null;
  private program: WebGLProgram | null = null;
  private vertices: WebGLVertexArrayObject | null = null;
  private buffer: WebGLBuffer | null = null;
  private texture: WebGLTexture | null = null;
  private readonly uniforms: Record<string, WebGLUniformLocation | null> = {};
  private data = new Float32Array(1024 * FLOATS);
  private readonly order: Aircraft[] = [];
  private matrix: Float64Array | null = null;
  private drawnAt = 0; // the clock of the picture
  private centre = { x: 0.5, y: 0.5 };

  constructor(
    private readonly fleet: Fleet,
    private readonly clock: () => number,
  ) {}

  onAdd(map: Map, gl: WebGL2RenderingContext): void {
    this.map = map;
    this.program = link(gl);
    for (const name of UNIFORMS) this.uniforms[name] = gl.getUniformLocation(this.program, name);
    this.texture = upload(gl);
    this.vertices = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    gl.bindVertexArray(this.vertices);
    this.layOutCorners(gl);
    this.layOutInstances(gl);
    gl.bindVertexArray(null);
  }

  onRemove(_map: Map, gl: WebGL2RenderingContext): void {
    gl.deleteProgram(this.program);
    gl.deleteTexture(this.texture);
    gl.deleteVertexArray(this.vertices);
    gl.deleteBuffer(this.buffer);
  }

  render(gl: WebGLRenderingContext | WebGL2RenderingContext, input: CustomRenderMethodInput): void {
    if (!(gl instanceof WebGL2RenderingContext) || this.map === null || this.program === null) return;
    const middle = this.map.getCenter();
    this.centre = project(middle.lat, middle.lng);
    this.matrix = moved(input.defaultProjectionData.mainMatrix, this.centre.x, this.centre.y);
    this.fill();
    gl.useProgram(this.program);
    gl.bindVertexArray(this.vertices);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.data.subarray(0, this.drawn * FLOATS), gl.STREAM_DRAW);
    this.setUniforms(gl);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.STENCIL_TEST);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.drawn);
    gl.bindVertexArray(null);
  }

  /** Whether aircraft can have moved visibly since the last picture: over a continent that takes seconds. */
  isDue(): boolean {
    if (this.map === null) return false;
    const speed = pixelsPerSecond(this.map.getZoom(), this.map.getCenter().lat, FASTEST_KT);
    return (Math.abs(this.clock() - this.drawnAt) / 1000) * speed >= STEP_PX;
  }

  /** The aircraft nearest to a point of the screen, within so many pixels. */
  nearest(x: number, y: number, withinPx: number): Aircraft | null {
    let best: Aircraft | null = null;
    let bestPx = withinPx;
    this.visit((aircraft, otherX, otherY) => {
      const apartPx = Math.hypot(otherX - x, otherY - y);
      if (apartPx <= bestPx) {
        best = aircraft;
        bestPx = apartPx;
      }
      return true;
    });
    return best;
  }

  /** The aircraft within the last picture, with their places on the screen: at most so many, whichever. */
  onScreen(most = Infinity): Shown[] {
    const shown: Shown[] = [];
    this.visit((aircraft, x, y) => shown.push({ aircraft, x, y }) < most);
    return shown;
  }

  /** Tells of each aircraft within the last picture where on the screen it is, until `tell` says that it is enough. */
  private visit(tell: (aircraft: Aircraft, x: number, y: number) => boolean): void {
    const canvas = this.map?.getCanvas();
    const matrix = this.matrix;
    if (canvas === undefined || matrix === null) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    for (let index = 0; index < this.drawn; index += 1) {
      const dx = this.data[index * FLOATS]!;
      const dy = this.data[index * FLOATS + 1]!;
      const w = matrix[3]! * dx + matrix[7]! * dy + matrix[15]!;
      const x = ((matrix[0]! * dx + matrix[4]! * dy + matrix[12]!) / w + 1) * 0.5 * width;
      const y = (1 - (matrix[1]! * dx + matrix[5]! * dy + matrix[13]!) / w) * 0.5 * height;
      if (w <= 0 || x < 0 || y < 0 || x > width || y > height) continue;
      if (!tell(this.order[index]!, x, y)) return;
    }
  }

  private fill(): void {
    const now = this.clock();
    const size = SIZE_PX * sizeAt(this.map?.getZoom() ?? 0);
    const flights = this.fleet.aircraft;
    if (this.data.length < flights.size * FLOATS) this.data = new Float32Array(2 * flights.size * FLOATS);
    this.order.length = 0;
    const place = { x: 0, y: 0 };
    let at = 0;
    for (const aircraft of flights.values()) {
      const isSelected = aircraft.position.flight_id === this.selected;
      if (!isSelected && !this.wanted(aircraft)) continue;
      placeOf(aircraft, now, place);
      const onGround = aircraft.position.on_ground === true;
      const isDot = onGround || aircraft.position.track_deg === null;
      const colour = colourOf(aircraft.position.altitude_ft, aircraft.position.on_ground);
      this.data[at] = shortWay(this.centre.x, place.x);
      this.data[at + 1] = place.y - this.centre.y;
      this.data[at + 2] = ((aircraft.position.track_deg ?? 0) * Math.PI) / 180;
      this.data[at + 3] = (isDot ? GROUND_PX : size) * (isSelected ? SELECTED_TIMES : 1);
      this.data[at + 4] = colour[0];
      this.data[at + 5] = colour[1];
      this.data[at + 6] = colour[2];
      this.data[at + 7] = isSelected ? 1 : opacityOf((now - aircraft.time) / 1000);
      this.data[at + 8] = isDot ? 1 : 0;
      at += FLOATS;
      this.order.push(aircraft);
    }
    this.drawn = this.order.length;
    this.drawnAt = now;
  }

  private setUniforms(gl: WebGL2RenderingContext): void {
    const canvas = gl.canvas as HTMLCanvasElement;
    const at = (name: (typeof UNIFORMS)[number]) => this.uniforms[name] ?? null;
    gl.uniformMatrix4fv(at("u_matrix"), false, new Float32Array(this.matrix!));
    gl.uniform2f(at("u_viewport"), canvas.clientWidth, canvas.clientHeight);
    gl.uniform1f(at("u_bearing"), ((this.map?.getBearing() ?? 0) * Math.PI) / 180);
    gl.uniform3f(at("u_outline"), ...this.outline);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniform1i(at("u_atlas"), 0);
  }

  private layOutCorners(gl: WebGL2RenderingContext): void {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.program!, "a_corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
  }

  private layOutInstances(gl: WebGL2RenderingContext): void {
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    let offset = 0;
    for (const [name, size] of [["a_place", 2], ["a_turn", 2], ["a_colour", 4], ["a_symbol", 1]] as const) {
      const location = gl.getAttribLocation(this.program!, name);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, FLOATS * 4, offset * 4);
      gl.vertexAttribDivisor(location, 1);
      offset += size;
    }
  }
}

/** The share of their size that symbols have at a zoom. */
function sizeAt(zoom: number): number {
  const share = (zoom - HALF_SIZE_ZOOM) / (WHOLE_SIZE_ZOOM - HALF_SIZE_ZOOM);
  return 0.5 + 0.5 * Math.max(0, Math.min(1, share));
}

/** The matrix times a translation, column by column, in 64 bits. */
function moved(matrix: ArrayLike<number>, x: number, y: number): Float64Array {
  const result = Float64Array.from(matrix);
  for (let row = 0; row < 4; row += 1) {
    result[12 + row] = matrix[row]! * x + matrix[4 + row]! * y + matrix[12 + row]!;
  }
  return result;
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
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`the aircraft cannot be drawn here: ${gl.getProgramInfoLog(program) ?? "no reason given"}`);
  }
  return program;
}

function upload(gl: WebGL2RenderingContext): WebGLTexture {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, drawAtlas());
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}
