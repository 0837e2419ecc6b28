import type { ExamImage } from "../api/types";
import type { ImageSize } from "../geometry/points";

/** One resolution in which an image can be had: a pixel of it is `factor` x `factor` stored ones. */
export type Level = { url: string; size: ImageSize; factor: number };

/** The levels of an image, the coarsest first. `isReduced`: the full resolution is more than the graphics can hold. */
export type Levels = { levels: readonly Level[]; isReduced: boolean };

type Sized = Pick<ExamImage, "rows" | "cols" | "frame_url" | "display">;

/**
 * What is painted of an image, one after the other: the small level at once, the full resolution when it is here.
 *
 * A graphics card holds no picture with a side longer than `longest`; beyond that it paints black, so such an image
 * stays at its small level, and the page says so.
 */
export function levelsOf(image: Sized, longest: number): Levels {
  const full: Level = { url: image.frame_url, size: { cols: image.cols, rows: image.rows }, factor: 1 };
  const { display } = image;
  const small: Level = {
    url: display.url,
    size: { cols: display.cols, rows: display.rows },
    factor: display.factor,
  };
  const isReduced = Math.max(image.rows, image.cols) > longest;
  if (isReduced) return { levels: [small], isReduced };
  return { levels: small.factor > 1 ? [small, full] : [full], isReduced };
}
