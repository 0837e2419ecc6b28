import type { ExamImage } from "../api/types";
import type { Mirror } from "../geometry/view";

/** What mirrors a picture: which breast it shows, and where (0020,0020) says that its rows and columns lead, `P\L`. */
export type Oriented = Pick<ExamImage, "laterality" | "patient_orientation">;

/** What a hanging needs to know of an image: its headers, never its pixels. */
export type HungImage = Oriented & Pick<ExamImage, "id" | "view" | "presentation">;

/** `R-CC`, `L-MLO`; for a view that no one knows its own name. */
export const viewName = (image: Pick<HungImage, "laterality" | "view">): string =>
  [image.laterality, image.view].filter(Boolean).join("-") || "image";

const orientation = (image: Oriented): string[] =>
  image.patient_orientation.split("\\").map((part) => part.trim().toUpperCase());

/**
 * How an image is mirrored for display, from its Patient Orientation (0020,0020).
 *
 * A right breast hangs with its chest wall at the right of its pane, a left breast at the left; the axilla or the outer
 * half is up. Rows of a right breast so lead to the back (P), rows of a left one to the front (A); columns lead to the
 * feet (F), or in a CC view towards the middle: to the left of the patient in a right breast. Where the header says
 * nothing, nothing is mirrored: a guess could swap the sides. Source: DICOM PS3.3 C.7.6.1.1.1, IHE mammography image.
 */
export function mirrorOf(image: Oriented): Mirror {
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

const isProcessing = (image: HungImage): boolean => image.presentation === "for_processing";

/** The images to hang: one made for processing only where its view has none made for presentation. */
export function hangable<T extends HungImage>(images: readonly T[]): T[] {
  const shown = new Set(images.filter((image) => !isProcessing(image)).map(viewName));
  return images.filter((image) => !isProcessing(image) || !shown.has(viewName(image)));
}

/** The classes of a picture that hangs so; the file itself is never mirrored. */
export const mirrorClass = ({ x, y }: Mirror): string =>
  [x && "mirror-x", y && "mirror-y"].filter(Boolean).join(" ");
