/** Answers of the server that more than one room of the page reads. Times are ISO 8601 in UTC, ids are UUIDs. */

export type Page<T> = { next: string | null; previous: string | null; results: T[] };

export type Role = "admin" | "reader" | "adjudicator" | "researcher";
export type ProjectRef = { id: string; name: string; slug: string; kind: "study" | "demo" };
export type Membership = { project: ProjectRef; role: Role };
export type Me = { id: string; username: string; is_site_admin: boolean; memberships: Membership[] };

export type Laterality = "R" | "L" | "";
export type Split = "train" | "val" | "test" | "audit";

export type WindowChoice = { center: number; width: number; explanation: string };

/** One image of an exam with all that the viewer needs. `spacing_mm` is [row, column]. */
export type ExamImage = {
  id: string;
  sop_uid: string;
  series_uid: string;
  study_uid: string;
  laterality: Laterality;
  view: string;
  rows: number;
  cols: number;
  spacing_mm: [number, number] | null;
  spacing_source: string;
  patient_orientation: string[] | string;
  presentation: string;
  photometric: string;
  windows: WindowChoice[];
  voi_function: string;
  flags: string[];
  metadata: Record<string, unknown>;
  frame_url: string;
  display_url: string;
  thumbnail_url: string;
};

export type ExamDetail = {
  id: string;
  label: string;
  date: string | null;
  age_years: number | null;
  split: Split;
  state: string;
  images: ExamImage[];
};

export type ReadingState = "leased" | "open" | "released" | "complete" | "amending";

export type ReadingAnswer<Document = unknown> = {
  id: string;
  project: string;
  exam: string;
  reader: string | null;
  purpose: string;
  source: string;
  state: ReadingState;
  revision: number;
  document: Document;
  lease_until: string | null;
  receipt: Receipt;
};

/** What the server stored: its own count and hash, so that "saved" is a fact. */
export type Receipt = { findings: number; marks: number; sha256: string };
export type EditAnswer = { revision: number; receipt: Receipt; saved_at: string };

export type WorklistState = { left: number; mine_held: number; done: number };
