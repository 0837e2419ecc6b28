import type { Bounds, ImageSize } from "../geometry/points";

type Pixels = ArrayLike<number>;

/** Every eighth pixel of a full image says enough; of a smaller level, as many of it. */
const STEP = 8;
/** Of a row or a column of the picture, what must be breast for it to count; letters and scratches are less. */
const LEAST_SHARE = 0.04;
/** A breast that takes less than this of the image is none: a test pattern, a detail, a marker. */
const LEAST_EXTENT = 0.2;

/**
 * The box round what is not background, in image px: the breast without the black beside it.
 *
 * `isBreast` says of a value whether it is shown brighter than black. Every `step`th pixel is looked at. A picture that
 * is black or bright all over gives the whole image.
 */
export function contentBox(
  pixels: Pixels,
  size: ImageSize,
  isBreast: (value: number) => boolean,
  step = STEP,
): Bounds {
  const { cols, rows } = size;
  const [across, down] = [Math.floor(cols / step), Math.floor(rows / step)];
  const [inColumn, inRow] = [new Float64Array(across), new Float64Array(down)];
  for (let j = 0; j < down; j++) {
    for (let i = 0; i < across; i++) {
      if (!isBreast(pixels[j * step * cols + i * step] as number)) continue;
      inColumn[i] = (inColumn[i] as number) + 1 / down;
      inRow[j] = (inRow[j] as number) + 1 / across;
    }
  }
  const [x, y] = [longestRun(inColumn), longestRun(inRow)];
  const isWhole = !x || !y || x[1] - x[0] < LEAST_EXTENT * across || y[1] - y[0] < LEAST_EXTENT * down;
  if (isWhole) return [0, 0, cols, rows];
  return [x[0] * step, y[0] * step, Math.min(x[1] * step, cols), Math.min(y[1] * step, rows)];
}

/** The longest run of places with enough in them, from and to (exclusive); null where there is none. */
function longestRun(shares: Float64Array): readonly [number, number] | null {
  let best: readonly [number, number] | null = null;
  let start = -1;
  for (let i = 0; i <= shares.length; i++) {
    const enough = i < shares.length && (shares[i] as number) > LEAST_SHARE;
    if (enough && start < 0) start = i;
    if (enough || start < 0) continue;
    if (!best || i - start > best[1] - best[0]) best = [start, i];
    start = -1;
  }
  return best;
}

/** The least and the greatest value, of every fourth pixel. */
export function valueRange(pixels: Pixels): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < pixels.length; i += 4) {
    const value = pixels[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
