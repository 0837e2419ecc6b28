import {
  type Bounds,
  type DisplayPoint,
  type DisplaySize,
  displayPoint,
  type ImagePoint,
  imagePoint,
} from "./points";

/** Display only: the stored pixels are never flipped. */
export type Mirror = { x: boolean; y: boolean };

/**
 * How an image lies in its pane: the image point in the middle of the pane, display px per image px, and mirroring.
 * The viewer's camera is set from this, never read back, so that both directions are exact in float64.
 */
export type View = { centre: ImagePoint; scale: number; mirror: Mirror; pane: DisplaySize };

const sign = (mirrored: boolean): number => (mirrored ? -1 : 1);

export function toDisplay(p: ImagePoint, view: View): DisplayPoint {
  const { centre, scale, mirror, pane } = view;
  return displayPoint(
    pane.width / 2 + sign(mirror.x) * (p[0] - centre[0]) * scale,
    pane.height / 2 + sign(mirror.y) * (p[1] - centre[1]) * scale,
  );
}

export function toImage(p: DisplayPoint, view: View): ImagePoint {
  const { centre, scale, mirror, pane } = view;
  return imagePoint(
    centre[0] + (sign(mirror.x) * (p[0] - pane.width / 2)) / scale,
    centre[1] + (sign(mirror.y) * (p[1] - pane.height / 2)) / scale,
  );
}

/** Move the picture by a distance on the screen. */
export const pan = (view: View, dx: number, dy: number): View => ({
  ...view,
  centre: imagePoint(
    view.centre[0] - (sign(view.mirror.x) * dx) / view.scale,
    view.centre[1] - (sign(view.mirror.y) * dy) / view.scale,
  ),
});

export const MIN_SCALE = 0.02;
export const MAX_SCALE = 32;

/** Zoom by a factor; the image point under `at` stays where it is. */
export function zoomAt(view: View, factor: number, at: DisplayPoint): View {
  const scale = Math.min(Math.max(view.scale * factor, MIN_SCALE), MAX_SCALE);
  const fixed = toImage(at, view);
  const moved = toDisplay(fixed, { ...view, scale });
  return pan({ ...view, scale }, at[0] - moved[0], at[1] - moved[1]);
}

/** One image pixel on one device pixel; the image point under `at` stays where it is. */
export const oneToOne = (view: View, devicePixelRatio: number, at: DisplayPoint): View =>
  zoomAt(view, 1 / devicePixelRatio / view.scale, at);

/** The largest scale at which the box is seen whole. */
export const fitScale = (box: Bounds, pane: DisplaySize): number =>
  Math.min(pane.width / (box[2] - box[0]), pane.height / (box[3] - box[1]));

export type Edge = "left" | "right" | "middle";

/** The box in the pane at a scale, its chest wall against the pane's `edge` as it is displayed, its height centred. */
export function placeBox(box: Bounds, pane: DisplaySize, scale: number, mirror: Mirror, edge: Edge): View {
  const middle = imagePoint((box[0] + box[2]) / 2, (box[1] + box[3]) / 2);
  const view: View = { centre: middle, scale, mirror, pane };
  const free = pane.width / 2 - ((box[2] - box[0]) * scale) / 2;
  const shift = { left: -free, right: free, middle: 0 }[edge];
  return pan(view, shift, 0);
}

/** The pane changed its size: the same image point stays in the middle, the picture grows with the pane's height. */
export const resized = (view: View, pane: DisplaySize): View => ({
  ...view,
  pane,
  scale: view.pane.height > 0 ? (view.scale * pane.height) / view.pane.height : view.scale,
});
