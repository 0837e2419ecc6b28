import type { Shape } from "../geometry/shapes";
import {
  type Birads,
  type Breast,
  type Density,
  type Finding,
  type FindingType,
  nextOrder,
  type Provenance,
  type ReadingDocument,
  SIDES,
  type Side,
  shapeOf,
} from "./document";
import type { Operation, Patch } from "./patch";
import { isSame, pointer } from "./patch";

/** Deeds of a reader as patches. A deed that would change nothing is an empty patch. */

const replaced = (path: string, old: unknown, value: unknown): Patch =>
  isSame(old, value) ? [] : [{ op: "replace", path, value }];

export const setDensity = (document: ReadingDocument, side: Side, density: Density | null): Patch =>
  replaced(pointer("breasts", side, "density"), document.breasts[side].density, density);

export const setBirads = (document: ReadingDocument, side: Side, birads: Birads | null): Patch =>
  replaced(pointer("breasts", side, "birads"), document.breasts[side].birads, birads);

/** Normal, both breasts: BI-RADS 1 where nothing was said; what was said stays. */
export const setNormal = (document: ReadingDocument): Patch =>
  SIDES.flatMap((side) => (document.breasts[side].birads === null ? setBirads(document, side, "1") : []));

export const setComment = (document: ReadingDocument, comment: string): Patch =>
  replaced("/comment", document.comment, comment);

const findingPath = (id: string, ...parts: string[]): string => pointer("findings", id, ...parts);

export const newFinding = (
  document: ReadingDocument,
  type: FindingType,
  laterality: Side | null,
): Finding => ({
  type,
  birads: null,
  laterality,
  order: nextOrder(document),
  marks: {},
});

export const addFinding = (id: string, finding: Finding): Patch => [
  { op: "add", path: findingPath(id), value: finding },
];

export const removeFinding = (id: string): Patch => [{ op: "remove", path: findingPath(id) }];

/** Change one answer of a finding; answers that the document may leave out are added. */
export function setFinding<Key extends "type" | "birads" | "laterality" | "subtype">(
  document: ReadingDocument,
  id: string,
  key: Key,
  value: Finding[Key],
): Patch {
  const old = document.findings[id]?.[key];
  if (isSame(old, value)) return [];
  const op: Operation["op"] = old === undefined ? "add" : "replace";
  return [{ op, path: findingPath(id, key), value } as Operation];
}

export const addMark = (
  findingId: string,
  markId: string,
  image: string,
  shape: Shape,
  provenance: Provenance = "human",
): Patch => [
  {
    op: "add",
    path: findingPath(findingId, "marks", markId),
    value: { image_id: image, frame: 1, ...shape, provenance },
  },
];

/** Move or reshape a mark. A mark of a model becomes the reader's own: what they left of it is said. */
export function setShape(document: ReadingDocument, findingId: string, markId: string, shape: Shape): Patch {
  const mark = document.findings[findingId]?.marks[markId];
  if (!mark || isSame(shapeOf(mark), shape)) return [];
  const path = findingPath(findingId, "marks", markId);
  const edited: Patch = [{ op: "replace", path: `${path}/geometry`, value: shape.geometry }];
  if (mark.provenance !== "model_accepted") return edited;
  return [...edited, { op: "replace", path: `${path}/provenance`, value: "model_edited" }];
}

/** Take a mark away; its finding stays, for a finding may have no mark. */
export const removeMark = (findingId: string, markId: string): Patch => [
  { op: "remove", path: findingPath(findingId, "marks", markId) },
];

/** The whole of what one version says, put in place of another. */
export const replaceAll = (from: ReadingDocument, to: ReadingDocument): Patch => [
  ...replaced("/breasts", from.breasts, to.breasts satisfies Record<Side, Breast>),
  ...replaced("/findings", from.findings, to.findings),
  ...replaced("/comment", from.comment, to.comment),
];
