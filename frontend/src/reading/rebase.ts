import type { ReadingDocument } from "./document";
import type { Edit } from "./outbox";
import { applyPatch, differences, overlaps, PatchError } from "./patch";

export type Version = { revision: number; document: ReadingDocument };

/** The document with all edits on it. */
export const withEdits = (document: ReadingDocument, edits: readonly Edit[]): ReadingDocument =>
  edits.reduce((result, edit) => applyPatch(result, edit.patch), document);

/**
 * The edits on a newer version, or null where the person has to choose.
 *
 * They are moved by themselves only if what changed meanwhile and what they change are different places.
 */
export function rebased(edits: readonly Edit[], from: Version, onto: Version): Edit[] | null {
  const theirs = differences(from.document, onto.document);
  const mine = edits.flatMap((edit) => edit.patch.map((operation) => operation.path));
  if (mine.some((a) => theirs.some((b) => overlaps(a, b)))) return null;
  try {
    return renumbered(edits, onto);
  } catch (error) {
    if (error instanceof PatchError) return null;
    throw error;
  }
}

/** The edits with the revisions that they now build on. Throws PatchError where one does not fit. */
export function renumbered(edits: readonly Edit[], onto: Version): Edit[] {
  let document = onto.document;
  return edits.map((edit, i) => {
    const moved = { ...edit, expects: onto.revision + i, before: document };
    document = applyPatch(document, edit.patch);
    return moved;
  });
}

/** The edits that still fit, in order; those that do not are left out. */
export function fitting(edits: readonly Edit[], onto: Version): Edit[] {
  const kept: Edit[] = [];
  for (const edit of edits) {
    try {
      renumbered([...kept, edit], onto);
      kept.push(edit);
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
    }
  }
  return renumbered(kept, onto);
}
