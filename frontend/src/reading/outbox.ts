import type { ReadingDocument } from "./document";
import type { Patch } from "./patch";

/**
 * A change on its way to the server. The id is made here, so that sending it twice does it once. `expects` is the
 * revision that it builds on and `before` what the reading said there: enough to go on after the page was closed.
 */
export type Edit = {
  id: string;
  readingId: string;
  patch: Patch;
  madeAt: number;
  expects: number;
  before: ReadingDocument;
};
/** A version of a reading that the person did not choose; kept, so that it can come back. */
export type SetAside = { readingId: string; document: ReadingDocument; at: number };

/** What survives a closed page, a crash or an expired session. Everything is kept until the server has it. */
export interface OutboxStore {
  load(readingId: string): Promise<Edit[]>;
  put(edit: Edit): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  loadAside(readingId: string): Promise<SetAside | null>;
  putAside(aside: SetAside): Promise<void>;
  removeAside(readingId: string): Promise<void>;
}

export class MemoryOutbox implements OutboxStore {
  private readonly edits = new Map<string, Edit>();
  private readonly asides = new Map<string, SetAside>();

  async load(readingId: string): Promise<Edit[]> {
    return [...this.edits.values()]
      .filter((edit) => edit.readingId === readingId)
      .sort((a, b) => a.expects - b.expects);
  }

  async put(edit: Edit): Promise<void> {
    this.edits.set(edit.id, edit);
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.edits.delete(id);
  }

  async loadAside(readingId: string): Promise<SetAside | null> {
    return this.asides.get(readingId) ?? null;
  }

  async putAside(aside: SetAside): Promise<void> {
    this.asides.set(aside.readingId, aside);
  }

  async removeAside(readingId: string): Promise<void> {
    this.asides.delete(readingId);
  }
}
