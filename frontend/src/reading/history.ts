import type { ReadingDocument } from "./document";
import { applyPatch, inverseOf, type Patch, PatchError } from "./patch";

/** What can be taken back and done again: lists of edits, not memories of the canvas. */
export type History = { past: readonly Step[]; future: readonly Step[] };
type Step = { forth: Patch; back: Patch };

export const NO_HISTORY: History = { past: [], future: [] };

export const remembered = (history: History, document: ReadingDocument, patch: Patch): History => ({
  past: [...history.past, { forth: patch, back: inverseOf(document, patch) }],
  future: [],
});

type Move = { patch: Patch; history: History };

const fits = (document: ReadingDocument, patch: Patch): boolean => {
  try {
    applyPatch(document, patch);
    return true;
  } catch (error) {
    if (error instanceof PatchError) return false;
    throw error;
  }
};

/** The edit that takes back the last one; null where nothing is left. Steps that no longer fit are passed over. */
export function undone(history: History, document: ReadingDocument): Move | null {
  const past = [...history.past];
  for (let step = past.pop(); step; step = past.pop()) {
    if (fits(document, step.back))
      return { patch: step.back, history: { past, future: [step, ...history.future] } };
  }
  return null;
}

/** The edit that does again what was taken back. */
export function redone(history: History, document: ReadingDocument): Move | null {
  const future = [...history.future];
  for (let step = future.shift(); step; step = future.shift()) {
    if (fits(document, step.forth))
      return { patch: step.forth, history: { past: [...history.past, step], future } };
  }
  return null;
}
