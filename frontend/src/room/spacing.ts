import type { ExamImage } from "../api/types";

/** Millimetres are claimed only for square pixels of a known size. */
export const mmPerPxOf = (image: Pick<ExamImage, "spacing_mm">): number | null => {
  if (!image.spacing_mm) return null;
  const [row, column] = image.spacing_mm;
  return Math.abs(row - column) < 1e-6 * row ? row : null;
};
