import type { ImageSize } from "../../geometry/points";
import type { Mirror } from "../../geometry/view";

/** The SVG transform from stored px to the same image as it hangs, in a view box of its size. */
export const asHung = (mirror: Mirror, { cols, rows }: ImageSize): string =>
  `matrix(${mirror.x ? -1 : 1} 0 0 ${mirror.y ? -1 : 1} ${mirror.x ? cols : 0} ${mirror.y ? rows : 0})`;

/** A box [x0, y0, x1, y1] in stored px, as it hangs: its first corner is at the left and above again. */
export function boxAsHung(
  [x0 = 0, y0 = 0, x1 = 0, y1 = 0]: readonly number[],
  mirror: Mirror,
  { cols, rows }: ImageSize,
): readonly [number, number, number, number] {
  const [left, right] = mirror.x ? [cols - x1, cols - x0] : [x0, x1];
  const [top, bottom] = mirror.y ? [rows - y1, rows - y0] : [y0, y1];
  return [left, top, right, bottom];
}
