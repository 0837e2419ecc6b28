import { get, post, request } from "../api/fetch";
import type { ExamDetail, Reading, Worklist } from "../api/types";
import { IndexedDbOutbox } from "../reading/indexeddb";
import { MemoryOutbox, type OutboxStore } from "../reading/outbox";
import type { Version } from "../reading/rebase";
import { ReadingSession, type Transport } from "../reading/session";
import { keepGiven, takeExam, takeGiven } from "./ahead";

export type { Reading };

/** All that the room needs to open one reading. */
export type Opened = { reading: Reading; exam: ExamDetail; session: ReadingSession };

const ifMatch = (revision: number): Record<string, string> => ({ "If-Match": `"${revision}"` });

const transportFor = (readingId: string): Transport => ({
  send: async (edit, revision) =>
    (
      await request("patch", `readings/${readingId}/`, {
        json: { edit_id: edit.id, patch: edit.patch },
        headers: ifMatch(revision),
      })
    ).data,
  load: async (): Promise<Version> => {
    const { revision, document } = await get(`readings/${readingId}/`);
    return { revision, document };
  },
});

/** The outbox of this browser; in memory where the browser allows no database (a private window). */
function outbox(): OutboxStore {
  return typeof indexedDB === "undefined" ? new MemoryOutbox() : new IndexedDbOutbox();
}

export async function openReading(id: string): Promise<Opened> {
  const reading = takeGiven(id) ?? (await get(`readings/${id}/`));
  const [exam, session] = await Promise.all([
    takeExam(reading.project, reading.exam),
    ReadingSession.open(id, reading, transportFor(id), outbox()),
  ]);
  return { reading, exam, session };
}

/** What waits; its `upcoming` is the exam that is likely to be next, to be fetched ahead. */
export const workIn = (project: string): Promise<Worklist> => get("worklist/", { project });

export const renewLease = (id: string): Promise<Reading> => post(`readings/${id}/lease/`);

export const completeReading = async (id: string, revision: number): Promise<Reading> =>
  (await request("post", `readings/${id}/complete/`, { headers: ifMatch(revision) })).data;

export const amendReading = (id: string): Promise<Reading> => post(`readings/${id}/amend/`);
export const discardAmendment = (id: string): Promise<Reading> => post(`readings/${id}/discard/`);
export const skipReading = (id: string, reason: string): Promise<Reading> =>
  post(`readings/${id}/skip/`, { reason });
export const flagReading = (id: string, reason: string): Promise<Reading> =>
  post(`readings/${id}/flag/`, { reason });

/** The next exam for this reader; null when nothing waits. */
export async function leaseNext(project: string): Promise<Reading | null> {
  const reading: Reading | null = await post("worklist/next/", { project });
  if (reading) keepGiven(reading);
  return reading;
}
