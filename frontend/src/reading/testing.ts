import { ApiError, NetworkError } from "../api/errors";
import type { EditAnswer } from "../api/types";
import { hashOf } from "./canonical";
import { emptyDocument, type ReadingDocument } from "./document";
import type { Edit } from "./outbox";
import { applyPatch, type Patch } from "./patch";
import type { Version } from "./rebase";
import type { Transport } from "./session";

/** A server in memory that keeps the rules of the real one: revisions, edit ids, receipts. For tests. */
export class ServerInMemory implements Transport {
  revision = 0;
  document: ReadingDocument = emptyDocument();
  /** What the next calls meet, in order; each is used once. `lost answer` stores and then breaks the line. */
  trouble: ("offline" | "lost answer" | ApiError)[] = [];
  received: string[] = [];
  private readonly answers = new Map<string, EditAnswer>();

  async send(edit: Edit, revision: number): Promise<EditAnswer> {
    const trouble = this.trouble.shift();
    if (trouble === "offline") throw new NetworkError(null);
    if (trouble instanceof ApiError) throw trouble;
    this.received.push(edit.id);
    const known = this.answers.get(edit.id);
    if (known) return known;
    if (revision !== this.revision) {
      throw new ApiError(
        "annotations.revision_stale",
        412,
        { theirs: await this.load() },
        null,
        "Changed in between.",
      );
    }
    const answer = await this.apply(edit.patch);
    this.answers.set(edit.id, answer);
    if (trouble === "lost answer") throw new NetworkError(null);
    return answer;
  }

  async load(): Promise<Version> {
    return { revision: this.revision, document: this.document };
  }

  /** Somebody changes the reading from elsewhere. */
  async apply(patch: Patch): Promise<EditAnswer> {
    this.document = applyPatch(this.document, patch);
    this.revision += 1;
    const marks = Object.values(this.document.findings).flatMap((finding) => Object.keys(finding.marks));
    return {
      revision: this.revision,
      receipt: {
        findings: Object.keys(this.document.findings).length,
        marks: marks.length,
        sha256: (await hashOf(this.document)) ?? "",
      },
      saved_at: "2026-01-01T00:00:00Z",
    };
  }
}

/** Wait until a claim holds; fails after a second. */
export async function until(claim: () => boolean): Promise<void> {
  for (const start = Date.now(); !claim(); ) {
    if (Date.now() - start > 1000) throw new Error(`never became true: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
