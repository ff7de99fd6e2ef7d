/**
 * How an aircraft is drawn: one triangle around it, and in each of its pixels the distance to the shape's edge, reckoned.
 *
 * No texture: to sample one costs a processor that draws more than all the rest. The shape is 2 units long and wide, its nose
 * at (0, -0.92): a round fuselage, swept wings and tailplane, each the part between a few straight lines; or a dot.
 */

import { BLEND_S, STRETCH_S } from "./fleet";

const float = (value: number) => value.toFixed(6);

/** Moves as `placeOf` of fleet.ts. */
export const VERTEX = `#version 300 es
uniform vec2 u_middle;    // of the picture, from the anchor
uniform float u_turn;     // of the world: far out it is there more than once
uniform float u_world;    // pixels of the unit square's side
uniform vec2 u_viewport;  // pixels
uniform float u_now;      // seconds from the anchor's
uniform float u_size;     // pixels of a symbol
uniform float u_dot;      // pixels of a dot
uniform float u_edge;     // pixels beyond the shape: outline, and half a pixel that is shaded
in vec2 a_place;
in vec2 a_velocity;
in vec2 a_off;
in vec2 a_times;
in vec2 a_symbol;
in vec4 a_colour;
out vec2 v_point;
flat out vec4 v_colour;
flat out float v_half;    // pixels of a unit of the shape; negative for a dot

// The least triangle about the shape, and the circle within it: grown about the centre of that, all sides move alike.
const vec2 CORNERS[3] = vec2[3](vec2(0.0, -1.0), vec2(-1.316, 0.88), vec2(1.316, 0.88));
const vec2 CENTRE = vec2(0.0, 0.195);
const float INRADIUS = 0.685;

void main() {
  float flown = clamp(u_now - a_times.x, -${float(STRETCH_S)}, ${float(STRETCH_S)});
  float left = exp(-max(0.0, u_now - a_times.y) / ${float(BLEND_S)});
  vec2 way = a_place + a_velocity * flown + a_off * left - u_middle;
  way.x += u_turn - floor(way.x + 0.5);

  bool isDot = a_symbol.y < 0.0;
  float half_px = 0.5 * abs(a_symbol.y) * (isDot ? u_dot : u_size);
  v_half = isDot ? -half_px : half_px;
  v_point = CENTRE + (CORNERS[gl_VertexID % 3] - CENTRE) * (1.0 + u_edge / (half_px * INRADIUS));
  vec2 corner = (isDot ? v_point - CENTRE : v_point) * half_px;
  float across = sin(a_symbol.x);
  float along = cos(a_symbol.x);
  vec2 px = way * u_world + vec2(along * corner.x - across * corner.y, across * corner.x + along * corner.y);

  v_colour = a_colour;
  gl_Position = vec4(px * 2.0 / u_viewport * vec2(1.0, -1.0), 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
uniform vec3 u_outline;
uniform float u_line;     // pixels of the outline
in vec2 v_point;
flat in vec4 v_colour;
flat in float v_half;
out vec4 colour;

float aircraft(vec2 point) {
  float x = abs(point.x);
  float y = point.y;
  float fuselage = length(vec2(x, max(abs(y + 0.07) - 0.75, 0.0))) - 0.1;
  float wings = max(max(0.544 * x - 0.839 * y - 0.289, 0.965 * y - 0.261 * x - 0.109), x - 0.84);
  float tailplane = max(max(0.64 * x - 0.768 * y + 0.379, 0.955 * y - 0.298 * x - 0.745), x - 0.32);
  return min(fuselage, min(wings, tailplane));
}

void main() {
  float beyond;
  if (v_half < 0.0) beyond = length(v_point - vec2(0.0, 0.195)) - 0.6;
  else beyond = aircraft(v_point);
  float px = beyond * abs(v_half);
  float alpha = clamp(u_line + 0.5 - px, 0.0, 1.0) * v_colour.a;
  colour = vec4(mix(u_outline, v_colour.rgb, clamp(0.5 - px, 0.0, 1.0)) * alpha, alpha);
}`;
