import { imagePoint } from "./points";
import { toDisplay, type View } from "./view";

/** Rows of a 3 x 3 matrix of points (x, y, 1); its last row is 0 0 1. */
export type Affine = readonly (readonly [number, number, number])[];

/** The SVG transform that puts a picture where its `affine` (stored px to its own) says that it lies. */
export function pictureTransform(affine: Affine): string {
  const { a, b, c, d, e, f } = backwards(affine);
  return `matrix(${a} ${b} ${c} ${d} ${e} ${f})`;
}

/** The same over a pane: stored px as the view shows them. */
export function viewTransform(affine: Affine, view: View): string {
  const { a, b, c, d, e, f } = backwards(affine);
  const [x0, y0] = toDisplay(imagePoint(0, 0), view);
  const kx = view.mirror.x ? -view.scale : view.scale;
  const ky = view.mirror.y ? -view.scale : view.scale;
  return `matrix(${kx * a} ${ky * b} ${kx * c} ${ky * d} ${kx * e + x0} ${ky * f + y0})`;
}

/** The inverse in SVG's letters: x' = a x + c y + e, y' = b x + d y + f. */
function backwards(affine: Affine) {
  const [[m00, m01, m02] = [1, 0, 0], [m10, m11, m12] = [0, 1, 0]] = affine;
  const det = m00 * m11 - m01 * m10;
  const [a, c, b, d] = [m11 / det, -m01 / det, -m10 / det, m00 / det];
  return { a, b, c, d, e: -(a * m02 + c * m12), f: -(b * m02 + d * m12) };
}
