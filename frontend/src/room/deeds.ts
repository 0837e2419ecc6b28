import type { ExamImage } from "../api/types";
import type { Shape } from "../geometry/shapes";
import {
  type FindingType,
  findingRows,
  type PlacedMark,
  type ReadingDocument,
  type Side,
} from "../reading/document";
import {
  addFinding,
  addMark,
  newFinding,
  removeFinding,
  removeMark,
  setFinding,
  setShape,
} from "../reading/edits";
import { newId } from "../reading/ids";
import type { Patch } from "../reading/patch";

/** A finding, and one of its marks where one was pointed at. */
export type Selection = { findingId: string; markId: string | null };
export type Deal = { patch: Patch; selection: Selection | null };

const sideOf = (image: ExamImage): Side | null => image.laterality || null;

/**
 * A drawn shape becomes a mark of the selected finding, if that is of this breast and not marked in this image yet (or
 * `more` asks for a second mark); else of a new finding of the type that was chosen last.
 */
export function drawnMark(
  document: ReadingDocument,
  selection: Selection | null,
  image: ExamImage,
  shape: Shape,
  next: { type: FindingType; more: boolean },
): Deal {
  const markId = newId();
  const finding = selection ? document.findings[selection.findingId] : undefined;
  if (selection && finding && takes(finding, image, next.more)) {
    return {
      patch: addMark(selection.findingId, markId, image.id, shape),
      selection: { findingId: selection.findingId, markId },
    };
  }
  const findingId = newId();
  const [added] = addMark(findingId, markId, image.id, shape);
  const marks = { [markId]: (added as { value: PlacedMark["mark"] }).value };
  return {
    patch: addFinding(findingId, { ...newFinding(document, next.type, sideOf(image)), marks }),
    selection: { findingId, markId },
  };
}

function takes(finding: ReadingDocument["findings"][string], image: ExamImage, more: boolean): boolean {
  const side = sideOf(image);
  if (finding.laterality && side && finding.laterality !== side) return false;
  return more || !Object.values(finding.marks).some((mark) => mark.image_id === image.id);
}

export const reshaped = (document: ReadingDocument, mark: PlacedMark, shape: Shape): Patch =>
  setShape(document, mark.findingId, mark.id, shape);

/** The selected mark goes; without one the selected finding. A finding goes with its last mark. */
export function removed(document: ReadingDocument, selection: Selection): Deal {
  const finding = document.findings[selection.findingId];
  if (!finding) return { patch: [], selection: null };
  const marks = Object.keys(finding.marks);
  if (selection.markId && marks.includes(selection.markId) && marks.length > 1) {
    return {
      patch: removeMark(selection.findingId, selection.markId),
      selection: { findingId: selection.findingId, markId: null },
    };
  }
  return { patch: removeFinding(selection.findingId), selection: null };
}

export const typed = (document: ReadingDocument, selection: Selection, type: FindingType): Patch =>
  document.findings[selection.findingId] ? setFinding(document, selection.findingId, "type", type) : [];

/** The finding after or before the selected one, round the list. */
export function stepped(
  document: ReadingDocument,
  selection: Selection | null,
  by: 1 | -1,
): Selection | null {
  const rows = findingRows(document);
  if (!rows.length) return null;
  const at = rows.findIndex((row) => row.id === selection?.findingId);
  const to = at < 0 ? (by > 0 ? 0 : rows.length - 1) : (at + by + rows.length) % rows.length;
  const row = rows[to] as (typeof rows)[number];
  return { findingId: row.id, markId: Object.keys(row.finding.marks)[0] ?? null };
}

/** The selection, if what it names is still there. */
export function standing(document: ReadingDocument, selection: Selection | null): Selection | null {
  const finding = selection ? document.findings[selection.findingId] : undefined;
  if (!selection || !finding) return null;
  return selection.markId && !finding.marks[selection.markId] ? { ...selection, markId: null } : selection;
}
