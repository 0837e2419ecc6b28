import { ApiError, NetworkError } from "../api/errors";
import type { EditAnswer } from "../api/types";
import { hashOf } from "./canonical";
import type { ReadingDocument } from "./document";
import { replaceAll } from "./edits";
import { type History, NO_HISTORY, redone, remembered, undone } from "./history";
import { newId } from "./ids";
import type { Edit, OutboxStore } from "./outbox";
import { applyPatch, type Patch } from "./patch";
import { fitting, rebased, renumbered, type Version, withEdits } from "./rebase";
import { after, type SaveState } from "./save-state";

/** The way to the server. Errors are ApiError and NetworkError. */
export interface Transport {
  send(edit: Edit, revision: number): Promise<EditAnswer>;
  load(): Promise<Version>;
}

export type SessionState = {
  document: ReadingDocument;
  save: SaveState;
  canUndo: boolean;
  canRedo: boolean;
  /** A version of mine that was not chosen can be brought back. */
  hasAside: boolean;
  /** Another window or machine changed the reading, and it was taken over. */
  changedElsewhere: boolean;
};

const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 20_000] as const;

/**
 * One reading as this page holds it: what the server has, plus edits on their way.
 *
 * An edit is kept in the outbox before it is sent and until the server has answered with its revision. Edits go one by
 * one, each on the revision that the one before made. Nothing that was typed is dropped: what cannot be sent waits,
 * what is not chosen is set aside.
 */
export class ReadingSession {
  private queue: Edit[] = [];
  private history: History = NO_HISTORY;
  private save: SaveState;
  private aside: ReadingDocument | null = null;
  private changedElsewhere = false;
  private sending = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private current: SessionState;
  private readonly listeners = new Set<() => void>();

  private constructor(
    readonly readingId: string,
    private server: Version,
    private readonly transport: Transport,
    private readonly store: OutboxStore,
  ) {
    this.save = { kind: "saved", revision: server.revision, at: null };
    this.current = this.snapshot();
  }

  /** Go on where the last page stopped: edits that it kept are shown and sent first. */
  static async open(readingId: string, server: Version, transport: Transport, store: OutboxStore) {
    const edits = await store.load(readingId);
    const first = edits[0];
    const base = first ? { revision: first.expects, document: first.before } : server;
    const session = new ReadingSession(readingId, base, transport, store);
    session.aside = (await store.loadAside(readingId))?.document ?? null;
    session.queue = edits;
    session.settle(session.idle());
    // What the kept edits build on may be older than what the server has now: it is taken over once they are sent.
    void session.pump().then(() => session.adopt(server));
    return session;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly state = (): SessionState => this.current;

  get revision(): number {
    return this.server.revision;
  }

  get document(): ReadingDocument {
    return this.current.document;
  }

  /** Change the reading; an empty patch does nothing. */
  edit(patch: Patch): void {
    if (!patch.length) return;
    this.history = remembered(this.history, this.document, patch);
    this.enqueue(patch);
  }

  undo(): void {
    const move = undone(this.history, this.document);
    if (!move) return;
    this.history = move.history;
    this.enqueue(move.patch);
  }

  redo(): void {
    const move = redone(this.history, this.document);
    if (!move) return;
    this.history = move.history;
    this.enqueue(move.patch);
  }

  /** Try again now: the network is back, somebody signed in, the lease was taken again. */
  retry(): void {
    if (this.save.kind === "conflict") return;
    this.failures = 0;
    this.settle(this.idle());
    void this.pump();
  }

  /** The person chose between both versions. The other one is kept: mine aside, theirs in the server's journal. */
  async choose(which: "mine" | "theirs"): Promise<void> {
    if (this.save.kind !== "conflict") return;
    const { theirs } = this.save;
    const mine = this.document;
    const old = this.queue.map((edit) => edit.id);
    if (which === "theirs") await this.setAside(mine);
    this.server = theirs;
    const patch = which === "mine" ? replaceAll(theirs.document, mine) : [];
    this.queue = patch.length ? [this.made(patch, theirs)] : [];
    await Promise.all(this.queue.map((edit) => this.keep(edit)));
    await this.store.remove(old);
    this.history = NO_HISTORY;
    this.settle(this.idle());
    void this.pump();
  }

  /** Give up the change that the server refuses; my version with it is set aside. */
  async dropRefused(): Promise<void> {
    if (this.save.kind !== "refused") return;
    const [refused, ...rest] = this.queue;
    if (!refused) return;
    await this.setAside(this.document);
    const old = this.queue.map((edit) => edit.id);
    this.queue = fitting(rest, this.server);
    await this.store.remove(old.filter((id) => !this.queue.some((edit) => edit.id === id)));
    await Promise.all(this.queue.map((edit) => this.keep(edit)));
    this.history = NO_HISTORY;
    this.settle(this.idle());
    void this.pump();
  }

  /** Bring back the version that was set aside, as an edit that can be undone. */
  async restoreAside(): Promise<void> {
    if (!this.aside) return;
    const patch = replaceAll(this.document, this.aside);
    this.aside = null;
    this.edit(patch);
    this.publish();
    await this.store.removeAside(this.readingId);
  }

  /** The server told a version: a newer one is taken over if nothing of ours is on its way. */
  adopt(version: Version): void {
    if (this.queue.length || this.sending || version.revision <= this.server.revision) return;
    this.server = version;
    this.history = NO_HISTORY;
    this.changedElsewhere = true;
    this.settle(this.idle());
  }

  /** When all is saved: the revision; null when saving is stopped and the page says why. */
  flushed(): Promise<number | null> {
    return new Promise((resolve) => {
      const look = () => {
        const { kind } = this.save;
        if (kind === "saving") return false;
        resolve(kind === "saved" ? this.server.revision : null);
        return true;
      };
      if (look()) return;
      const stop = this.subscribe(() => look() && stop());
    });
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.listeners.clear();
  }

  private made(patch: Patch, on: Version): Edit {
    return {
      id: newId(),
      readingId: this.readingId,
      patch,
      madeAt: Date.now(),
      expects: on.revision,
      before: on.document,
    };
  }

  private enqueue(patch: Patch): void {
    const edit = this.made(patch, {
      revision: this.server.revision + this.queue.length,
      document: this.document,
    });
    applyPatch(edit.before, patch);
    this.queue = [...this.queue, edit];
    this.changedElsewhere = false;
    this.settle(after(this.save, this.queue.length));
    void this.keep(edit).then(() => this.pump());
  }

  private keep(edit: Edit): Promise<void> {
    return this.store.put(edit);
  }

  private async setAside(document: ReadingDocument): Promise<void> {
    this.aside = document;
    await this.store.putAside({ readingId: this.readingId, document, at: Date.now() });
  }

  /** Send what waits, one edit after the other, until nothing is left or something stops it. */
  private async pump(): Promise<void> {
    if (this.sending || !["saving", "waiting"].includes(this.save.kind)) return;
    this.sending = true;
    try {
      for (let edit = this.queue[0]; edit; edit = this.queue[0]) {
        if (!(await this.sendOne(edit))) break;
      }
    } finally {
      this.sending = false;
    }
  }

  /** Whether to go on with the next one. */
  private async sendOne(edit: Edit): Promise<boolean> {
    let answer: EditAnswer;
    try {
      answer = await this.transport.send(edit, edit.expects);
    } catch (error) {
      await this.failed(error);
      if (this.save.kind === "waiting") this.tryLater();
      return this.save.kind === "saving";
    }
    this.failures = 0;
    this.server = { revision: answer.revision, document: applyPatch(edit.before, edit.patch) };
    this.queue = this.queue.filter((other) => other.id !== edit.id);
    await this.store.remove([edit.id]);
    if (!this.queue.length) await this.check(answer);
    else this.settle({ kind: "saving", changes: this.queue.length });
    return true;
  }

  /** "Saved" only if the server's hash is that of what is shown here; else its version is loaded and told. */
  private async check(answer: EditAnswer): Promise<void> {
    const shown = this.server.document;
    const hash = await hashOf(shown);
    if (this.queue.length) return this.settle({ kind: "saving", changes: this.queue.length });
    if (hash === null || hash === answer.receipt.sha256) {
      return this.settle({ kind: "saved", revision: answer.revision, at: answer.saved_at });
    }
    try {
      const theirs = await this.transport.load();
      this.settle({ kind: "conflict", changes: 0, mine: shown, theirs });
    } catch (error) {
      await this.failed(error);
    }
  }

  private async failed(error: unknown): Promise<void> {
    const changes = this.queue.length;
    if (error instanceof NetworkError) return this.settle({ kind: "waiting", changes });
    if (!(error instanceof ApiError)) throw error;
    if (error.status >= 500 || error.status === 429) return this.settle({ kind: "waiting", changes });
    if (error.isSignedOut) return this.settle({ kind: "signed_out", changes });
    if (error.status === 412) return this.stale(error);
    if (error.code === "annotations.lease_lost") return this.settle({ kind: "lost", changes });
    if (error.code === "annotations.reading_closed") return this.settle({ kind: "closed", changes });
    this.settle({ kind: "refused", changes, error });
  }

  private async stale(error: ApiError): Promise<void> {
    const detail = error.detail as { theirs?: Version } | null;
    const theirs = detail?.theirs ?? (await this.transport.load());
    const moved = rebased(this.queue, this.server, theirs);
    if (!moved) {
      return this.settle({ kind: "conflict", changes: this.queue.length, mine: this.document, theirs });
    }
    this.server = theirs;
    this.queue = renumbered(moved, theirs);
    this.changedElsewhere = true;
    await Promise.all(this.queue.map((edit) => this.keep(edit)));
    this.settle({ kind: "saving", changes: this.queue.length });
  }

  private tryLater(): void {
    const ms = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.pump(), ms);
  }

  private idle(): SaveState {
    if (this.queue.length) return { kind: "saving", changes: this.queue.length };
    return { kind: "saved", revision: this.server.revision, at: null };
  }

  private settle(save: SaveState): void {
    this.save = save;
    this.publish();
  }

  private publish(): void {
    if (this.save.kind === "saved" && this.queue.length)
      this.save = { kind: "saving", changes: this.queue.length };
    this.current = this.snapshot();
    for (const listener of [...this.listeners]) listener();
  }

  private snapshot(): SessionState {
    return {
      document: withEdits(this.server.document, this.queue),
      save: this.save,
      canUndo: this.history.past.length > 0,
      canRedo: this.history.future.length > 0,
      hasAside: this.aside !== null,
      changedElsewhere: this.changedElsewhere,
    };
  }
}
