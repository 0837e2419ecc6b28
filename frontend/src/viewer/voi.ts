import type { WindowChoice } from "../api/types";

/** How stored values become grey: DICOM PS3.3 C.11.2.1. Applied to the full bit depth, in the modality's units. */
export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";
export type Shading = { center: number; width: number; function: VoiFunction; inverted: boolean };

export const voiFunctionOf = (name: string | null | undefined): VoiFunction =>
  name === "SIGMOID" || name === "LINEAR_EXACT" ? name : "LINEAR";

/** The first of an image's windows; where the file has none, all of its values. Never inverted by itself. */
export function openingShading(
  windows: readonly WindowChoice[],
  name: string,
  range: readonly [number, number],
): Shading {
  const first = windows.find((choice) => Number.isFinite(choice.center) && choice.width > 0);
  if (first)
    return { center: first.center, width: first.width, function: voiFunctionOf(name), inverted: false };
  const [low, high] = range;
  return {
    center: (low + high) / 2,
    width: Math.max(high - low, 1),
    function: "LINEAR_EXACT",
    inverted: false,
  };
}

/**
 * The values that become black and white. LINEAR counts whole values, so that it is half a value off and one narrower
 * than LINEAR_EXACT (C.11.2.1.2.1 and C.11.2.1.3.2). SIGMOID is described by the same ends as LINEAR.
 */
export function rangeOf(shading: Shading): { lower: number; upper: number } {
  const { center, width } = shading;
  if (shading.function === "LINEAR_EXACT") return { lower: center - width / 2, upper: center + width / 2 };
  return { lower: center - 0.5 - (width - 1) / 2, upper: center - 0.5 + (width - 1) / 2 };
}

/** The grey of a value, 0 black to 1 white, MONOCHROME1 inverted once and last. For tests and the breast's outline. */
export function greyOf(value: number, shading: Shading, photometric: string): number {
  const grey = beforeInversion(value, shading);
  return isInverted(shading, photometric) ? 1 - grey : grey;
}

function beforeInversion(value: number, shading: Shading): number {
  if (shading.function === "SIGMOID")
    return 1 / (1 + Math.exp((-4 * (value - shading.center)) / shading.width));
  const { lower, upper } = rangeOf(shading);
  if (value <= lower) return 0;
  if (value > upper) return 1;
  return (value - lower) / (upper - lower);
}

export const isInverted = (shading: Shading, photometric: string): boolean =>
  (photometric === "MONOCHROME1") !== shading.inverted;

/** Window and level by a drag: to the right wider, down brighter; a step in proportion to the width. */
export function dragged(shading: Shading, dx: number, dy: number): Shading {
  const step = Math.max(shading.width, 16) / 300;
  const smallest = shading.function === "LINEAR_EXACT" ? 1 : 2;
  return {
    ...shading,
    width: Math.max(shading.width + dx * step, smallest),
    center: shading.center - dy * step,
  };
}
