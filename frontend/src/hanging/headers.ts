import type { Mirror } from "../geometry/view";

/** What a hanging needs to know of an image: its headers, never its pixels. */
export type HungImage = {
  id: string;
  laterality: string;
  view: string;
  /** (0020,0020): where the rows and the columns lead, `["P", "L"]` or `P\L`. */
  patient_orientation: string[] | string | null;
  /** (0008,0068): FOR PRESENTATION or FOR PROCESSING. */
  presentation: string;
};

/** `R-CC`, `L-MLO`; for a view that no one knows its own name. */
export const viewName = (image: HungImage): string =>
  [image.laterality, image.view].filter(Boolean).join("-") || "image";

const orientation = (image: HungImage): string[] => {
  const given = image.patient_orientation;
  if (!given) return [];
  return (Array.isArray(given) ? given : given.split("\\")).map((part) => part.trim().toUpperCase());
};

/**
 * How an image is mirrored for display, from its Patient Orientation (0020,0020).
 *
 * A right breast hangs with its chest wall at the right of its pane, a left breast at the left; the axilla or the outer
 * half is up. Rows of a right breast so lead to the back (P), rows of a left one to the front (A); columns lead to the
 * feet (F), or in a CC view towards the middle: to the left of the patient in a right breast. Where the header says
 * nothing, nothing is mirrored: a guess could swap the sides. Source: DICOM PS3.3 C.7.6.1.1.1, IHE mammography image.
 */
export function mirrorOf(image: HungImage): Mirror {
  const [row = "", column = ""] = orientation(image);
  if (image.laterality !== "R" && image.laterality !== "L") return { x: false, y: column.startsWith("H") };
  const isRight = image.laterality === "R";
  const outward = isRight ? "R" : "L";
  return {
    x: row.startsWith(isRight ? "A" : "P"),
    y: column.startsWith("H") || (!/[HF]/.test(column) && column.startsWith(outward)),
  };
}

/** Where the chest wall stands as displayed. */
export const chestWall = (image: HungImage): "left" | "right" | "middle" =>
  image.laterality === "R" ? "right" : image.laterality === "L" ? "left" : "middle";

const isProcessing = (image: HungImage): boolean => image.presentation.toUpperCase().includes("PROCESSING");

/** The images to hang: one made for processing only where its view has none made for presentation. */
export function hangable<T extends HungImage>(images: readonly T[]): T[] {
  const shown = new Set(images.filter((image) => !isProcessing(image)).map(viewName));
  return images.filter((image) => !isProcessing(image) || !shown.has(viewName(image)));
}
