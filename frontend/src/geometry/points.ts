/**
 * Points that know their space, so that mixing them does not compile.
 *
 * Image px: the stored matrix, origin at the outer corner of the top-left pixel, x right, y down, so the centre of the
 * first pixel is (0.5, 0.5). Display px: CSS pixels of a pane, origin at its top-left corner, y down.
 */
export type Point<Space extends string> = readonly [x: number, y: number] & { readonly space?: Space };
export type ImagePoint = Point<"image px">;
export type DisplayPoint = Point<"display px">;

export const imagePoint = (x: number, y: number): ImagePoint => [x, y] as const as ImagePoint;
export const displayPoint = (x: number, y: number): DisplayPoint => [x, y] as const as DisplayPoint;

export type ImageSize = { cols: number; rows: number };
export type DisplaySize = { width: number; height: number };
/** A box in image px, x0 < x1 and y0 < y1. */
export type Bounds = readonly [x0: number, y0: number, x1: number, y1: number];

export const distance = <S extends string>(a: Point<S>, b: Point<S>): number =>
  Math.hypot(a[0] - b[0], a[1] - b[1]);

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high);

/** The nearest point of the image. */
export const inside = (p: ImagePoint, size: ImageSize): ImagePoint =>
  imagePoint(clamp(p[0], 0, size.cols), clamp(p[1], 0, size.rows));
