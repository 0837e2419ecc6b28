import type { ExamImage } from "../api/types";
import { FINDING_NAMES, findingRows, type ReadingDocument, SIDES, type Side } from "../reading/document";

export const SIDE_NAMES: Readonly<Record<Side, string>> = { R: "right", L: "left" };

/** The breasts that the exam shows; both where no image says its side. */
export function sidesOf(images: readonly ExamImage[]): Side[] {
  const seen = SIDES.filter((side) => images.some((image) => image.laterality === side));
  return seen.length ? seen : [...SIDES];
}

/** What to look at before finishing. Hints, not rules: nothing here stops a reader. */
export function hintsFor(document: ReadingDocument, images: readonly ExamImage[]): string[] {
  const hints: string[] = [];
  for (const side of sidesOf(images)) {
    const breast = document.breasts[side];
    const missing = [breast.density === null && "density", breast.birads === null && "BI-RADS"].filter(
      Boolean,
    );
    if (missing.length) hints.push(`The ${SIDE_NAMES[side]} breast has no ${missing.join(" and no ")} yet.`);
  }
  for (const { number, finding } of findingRows(document)) {
    const name = `${FINDING_NAMES[finding.type]} ${number}`;
    const marked = new Set(Object.values(finding.marks).map((mark) => mark.image_id));
    if (!marked.size) hints.push(`${name} is marked in no view.`);
    const views = images.filter((image) => image.laterality === finding.laterality);
    if (marked.size === 1 && views.length > 1) hints.push(`${name} is seen in one view only. Asymmetry?`);
    const side = finding.laterality;
    if (side && document.breasts[side].birads === "1") {
      hints.push(`BI-RADS 1 says that nothing is in the ${SIDE_NAMES[side]} breast, and ${name} is there.`);
    }
  }
  return [...new Set(hints)];
}

/** Whether anything was said at all: the server completes no empty reading. */
export const isEmpty = (document: ReadingDocument): boolean =>
  !document.comment &&
  !Object.keys(document.findings).length &&
  SIDES.every((side) => document.breasts[side].density === null && document.breasts[side].birads === null);
