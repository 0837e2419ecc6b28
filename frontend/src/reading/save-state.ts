import type { ApiError } from "../api/errors";
import type { ReadingDocument } from "./document";
import type { Version } from "./rebase";

/** Where the person's changes are. "Saved" is a fact from the server. */
export type SaveState =
  | { kind: "saved"; revision: number; at: string | null }
  | { kind: "saving"; changes: number }
  | { kind: "waiting"; changes: number }
  | { kind: "signed_out"; changes: number }
  | { kind: "lost"; changes: number }
  | { kind: "closed"; changes: number }
  | { kind: "refused"; changes: number; error: ApiError }
  | { kind: "conflict"; changes: number; mine: ReadingDocument; theirs: Version };

/** The state after one more change: what stopped the saving still stops it. */
export const after = (state: SaveState, changes: number): SaveState =>
  state.kind === "saved" ? { kind: "saving", changes } : { ...state, changes };

const kept = (n: number): string => `${n} ${n === 1 ? "change" : "changes"} kept here`;

/** What the bar says of it. */
export function saveLabel(state: SaveState): string {
  switch (state.kind) {
    case "saved":
      return `saved · revision ${state.revision}`;
    case "saving":
      return "saving";
    case "waiting":
      return `waiting for the network: ${kept(state.changes)}`;
    case "signed_out":
      return `signed out: ${kept(state.changes)}`;
    case "lost":
      return `lease lost: ${kept(state.changes)}`;
    case "closed":
      return `reading complete: ${kept(state.changes)}`;
    case "refused":
      return `not saved: ${kept(state.changes)}`;
    case "conflict":
      return "changed elsewhere: choose a version";
  }
}
