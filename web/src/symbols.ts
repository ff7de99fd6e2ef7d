/** The symbols in one picture: an aircraft from above, nose up, and a dot for who stands or tells no direction. */

export const ATLAS_CELLS = 2;
const CELL_PX = 128;
const OUTLINE_PX = 9;

/** Half of the outline of an airliner, in a square of -1 to 1 with the nose at the top; the other half mirrors it. */
const HALF: readonly (readonly [number, number])[] = [
  [0, -0.92],
  [0.07, -0.84],
  [0.1, -0.68],
  [0.1, -0.28],
  [0.84, 0.2],
  [0.84, 0.34],
  [0.1, 0.14],
  [0.08, 0.56],
  [0.32, 0.76],
  [0.32, 0.88],
  [0, 0.78],
];

/** White where the colour goes, black where the outline does. */
export function drawAtlas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = CELL_PX * ATLAS_CELLS;
  canvas.height = CELL_PX;
  const context = canvas.getContext("2d")!;
  context.lineJoin = "round";
  context.lineWidth = OUTLINE_PX;
  draw(context, 0, airliner());
  draw(context, 1, dot());
  return canvas;
}

function draw(context: CanvasRenderingContext2D, cell: number, shape: Path2D): void {
  context.setTransform(1, 0, 0, 1, (cell + 0.5) * CELL_PX, CELL_PX / 2);
  context.strokeStyle = "#000";
  context.stroke(shape);
  context.fillStyle = "#fff";
  context.fill(shape);
}

function airliner(): Path2D {
  const scale = CELL_PX / 2 - OUTLINE_PX;
  const mirrored = [...HALF].reverse().map(([x, y]) => [-x, y] as const);
  const path = new Path2D();
  for (const [x, y] of [...HALF, ...mirrored]) path.lineTo(x * scale, y * scale);
  path.closePath();
  return path;
}

function dot(): Path2D {
  const path = new Path2D();
  path.arc(0, 0, CELL_PX / 2 - OUTLINE_PX - 6, 0, 2 * Math.PI);
  return path;
}
