import { get, post, request } from "../api/fetch";
import type { EditAnswer, ExamDetail, ReadingAnswer, WorklistState } from "../api/types";
import type { ReadingDocument } from "../reading/document";
import { IndexedDbOutbox } from "../reading/indexeddb";
import { MemoryOutbox, type OutboxStore } from "../reading/outbox";
import type { Version } from "../reading/rebase";
import { ReadingSession, type Transport } from "../reading/session";

export type Reading = ReadingAnswer<ReadingDocument> & { reader_name?: string | null };
export type Work = WorklistState & { last_completed: string | null };

/** All that the room needs to open one reading. */
export type Opened = { reading: Reading; exam: ExamDetail; work: Work; session: ReadingSession };

const ifMatch = (revision: number): Record<string, string> => ({ "If-Match": `"${revision}"` });

const transportFor = (readingId: string): Transport => ({
  send: async (edit, revision) =>
    (
      await request<EditAnswer>(`readings/${readingId}/`, {
        method: "PATCH",
        json: { edit_id: edit.id, patch: edit.patch },
        headers: ifMatch(revision),
      })
    ).data,
  load: async (): Promise<Version> => {
    const { revision, document } = await get<Reading>(`readings/${readingId}/`);
    return { revision, document };
  },
});

/** The outbox of this browser; in memory where the browser allows no database (a private window). */
function outbox(): OutboxStore {
  return typeof indexedDB === "undefined" ? new MemoryOutbox() : new IndexedDbOutbox();
}

export async function openReading(id: string): Promise<Opened> {
  const reading = await get<Reading>(`readings/${id}/`);
  const [exam, work] = await Promise.all([
    get<ExamDetail>(`exams/${reading.exam}/`, { project: reading.project }),
    get<Work>("worklist/", { project: reading.project }),
  ]);
  const session = await ReadingSession.open(id, reading, transportFor(id), outbox());
  return { reading, exam, work, session };
}

export const renewLease = (id: string): Promise<Reading> => post<Reading>(`readings/${id}/lease/`);

export const completeReading = async (id: string, revision: number): Promise<Reading> =>
  (
    await request<Reading>(`readings/${id}/complete/`, {
      method: "POST",
      json: {},
      headers: ifMatch(revision),
    })
  ).data;

export const amendReading = (id: string): Promise<Reading> => post<Reading>(`readings/${id}/amend/`);
export const discardAmendment = (id: string): Promise<Reading> => post<Reading>(`readings/${id}/discard/`);
export const skipReading = (id: string, reason: string): Promise<Reading> =>
  post<Reading>(`readings/${id}/skip/`, { reason });
export const flagReading = (id: string, reason: string): Promise<Reading> =>
  post<Reading>(`readings/${id}/flag/`, { reason });

/** The next exam for this reader; null when nothing waits. */
export async function leaseNext(project: string): Promise<Reading | null> {
  const { data, status } = await request<Reading | null>("worklist/next/", {
    method: "POST",
    json: { project },
  });
  return status === 204 ? null : data;
}
