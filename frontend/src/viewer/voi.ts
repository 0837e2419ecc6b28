/** How stored values become grey: DICOM PS3.3 C.11.2.1. Applied to the full bit depth, in the modality's units. */
export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

export type Shading = {
  center: number;
  width: number;
  function: VoiFunction;
  /** Greys, 0 to 1, of a VOI LUT of the file, stretched over the window; null: `function` says how grey rises. */
  table: readonly number[] | null;
  inverted: boolean;
  /** Which of the image's windows this is; null: set by hand. */
  name: string | null;
};

export const voiFunctionOf = (name: string | null | undefined): VoiFunction =>
  name === "SIGMOID" || name === "LINEAR_EXACT" ? name : "LINEAR";

/**
 * The values that become black and white. LINEAR counts whole values, so that it is half a value off and one narrower
 * than LINEAR_EXACT (C.11.2.1.2.1 and C.11.2.1.3.2). A table reaches over the whole window.
 */
export function rangeOf(shading: Shading): { lower: number; upper: number } {
  const { center, width } = shading;
  if (shading.table || shading.function === "LINEAR_EXACT")
    return { lower: center - width / 2, upper: center + width / 2 };
  return { lower: center - 0.5 - (width - 1) / 2, upper: center - 0.5 + (width - 1) / 2 };
}

/** The grey of a value, 0 black to 1 white, MONOCHROME1 inverted once and last. */
export function greyOf(value: number, shading: Shading, photometric: string): number {
  const grey = beforeInversion(value, shading);
  return isInverted(shading, photometric) ? 1 - grey : grey;
}

function beforeInversion(value: number, shading: Shading): number {
  if (!shading.table && shading.function === "SIGMOID")
    return 1 / (1 + Math.exp((-4 * (value - shading.center)) / shading.width));
  const { lower, upper } = rangeOf(shading);
  if (shading.table) return lookedUp(shading.table, (value - lower) / (upper - lower));
  if (value <= lower) return 0;
  if (value > upper) return 1;
  return (value - lower) / (upper - lower);
}

/** A table's grey at a share of its length; below its first and above its last value as those (C.11.2.1.1). */
function lookedUp(table: readonly number[], share: number): number {
  const place = Math.min(Math.max(share, 0), 1) * (table.length - 1);
  const before = Math.floor(place);
  const [a, b] = [table[before] as number, table[Math.min(before + 1, table.length - 1)] as number];
  return a + (b - a) * (place - before);
}

export const isInverted = (shading: Shading, photometric: string): boolean =>
  (photometric === "MONOCHROME1") !== shading.inverted;

/** The most points of a curve: more than the greys of any screen, few enough for every move of a drag. */
const MOST_POINTS = 4096;
/** How far a sigmoid is followed, in widths to each side of its centre: to 0.03 % of black and of white. */
const SIGMOID_REACH = 2;
const SIGMOID_POINTS = 512;

/**
 * The greys as a line of points (value, grey), values rising: what the graphics card is given, so that what is painted
 * is what `greyOf` says. Before the first and after the last point grey stays as it is there.
 */
export function curveOf(shading: Shading, photometric: string): [value: number, grey: number][] {
  const at = (value: number): [number, number] => [value, greyOf(value, shading, photometric)];
  if (shading.table) {
    const { lower, upper } = rangeOf(shading);
    return evenly(lower, upper, Math.min(shading.table.length, MOST_POINTS)).map(at);
  }
  if (shading.function === "SIGMOID") {
    const reach = SIGMOID_REACH * shading.width;
    return evenly(shading.center - reach, shading.center + reach, SIGMOID_POINTS).map(at);
  }
  const { lower, upper } = rangeOf(shading);
  const [black, white] = isInverted(shading, photometric) ? [1, 0] : [0, 1];
  return [
    [lower, black],
    [Math.max(upper, lower + 1e-3), white],
  ];
}

function evenly(from: number, to: number, count: number): number[] {
  if (count < 2) return [from, to];
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
}

/** Window and level by a drag: to the right wider, down brighter; a step in proportion to the width. */
export function dragged(shading: Shading, dx: number, dy: number): Shading {
  const step = Math.max(shading.width, 16) / 300;
  const smallest = shading.table || shading.function === "LINEAR_EXACT" ? 1 : 2;
  return {
    ...shading,
    width: Math.max(shading.width + dx * step, smallest),
    center: shading.center - dy * step,
    name: null,
  };
}
