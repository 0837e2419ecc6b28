/** What the server answers, as far as the pages read it. A noun of the loop after the other. */

import type { ProjectRef, Role, Split } from "../api/types";

export type { Me, Page, ProjectRef, Role, Split } from "../api/types";

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Project extends ProjectRef {
  readonly seed: number;
  readonly readings_per_exam: number;
  readonly audit_share: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly created_at: string;
  readonly role: Role | null;
}

export interface JobFailure {
  readonly code: string;
  readonly sentence: string;
  readonly cure: string;
  readonly detail?: unknown;
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly link: string;
  readonly state: JobState;
  readonly done: number;
  readonly total: number | null;
  readonly message: string;
  readonly eta_s: number | null;
  readonly error: JobFailure | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly project: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly created_by: string | null;
  readonly attempts: number;
  readonly cancel_requested_at: string | null;
  readonly log_tail?: string;
}

export interface Loop {
  readonly images: { readonly exams: number; readonly images: number; readonly rejected: number };
  readonly read: { readonly complete: number; readonly wanted: number; readonly waiting: number };
  readonly snapshot: {
    readonly latest: { readonly id: string; readonly number: number; readonly frozen_at: string } | null;
    readonly new_exams: number;
    readonly new_findings: number;
  };
  readonly run: {
    readonly running: number;
    readonly done: number;
    readonly latest: { readonly id: string; readonly number: number; readonly state: JobState } | null;
  };
  readonly model: {
    readonly promoted: readonly {
      readonly task: string;
      readonly id: string;
      readonly number: number;
      readonly promoted_at: string;
    }[];
  };
  readonly round: {
    readonly latest: {
      readonly id: string;
      readonly number: number;
      readonly state: string;
      readonly strategy: string;
      readonly read: number;
      readonly exams: number;
    } | null;
    readonly ranked: number;
  };
  readonly needs: readonly { readonly what: string; readonly text: string; readonly link: string }[];
}

export interface PartOfScore {
  readonly value: number | null;
  readonly rank: number;
  readonly weight: number;
}

/** Why an exam stands where it stands: its parts with value, rank in the pool and weight. */
export interface Reason {
  readonly why?: string;
  readonly parts?: Readonly<Record<string, PartOfScore>>;
  readonly unscored?: readonly string[];
}

export interface WorklistEntry {
  readonly position: number | null;
  readonly exam: string;
  readonly label: string;
  readonly tier: number;
  readonly score: number | null;
  readonly reason: Reason | null;
  readonly state: "held" | "waiting";
  readonly wanted: number;
  readonly held: number;
  readonly done: number;
}

export interface Worklist {
  readonly left: number;
  readonly mine_held: number;
  readonly done: number;
  readonly last_completed: string | null;
  readonly order?: string | null;
  readonly entries?: readonly WorklistEntry[];
  readonly next?: string | null;
}

export interface Finding {
  readonly type: string;
  readonly birads?: string | null;
  readonly laterality?: "R" | "L" | null;
  readonly pathology?: string;
  readonly marks?: Readonly<Record<string, { readonly image_id: string; readonly kind: string }>>;
}

export interface ReadingDocument {
  readonly breasts?: Readonly<
    Record<string, { readonly density?: string | null; readonly birads?: string | null }>
  >;
  readonly findings?: Readonly<Record<string, Finding>>;
  readonly comment?: string;
}

export interface Reading {
  readonly id: string;
  readonly exam: string;
  readonly reader: string | null;
  readonly reader_name: string | null;
  readonly purpose: string;
  readonly source: string;
  readonly state: string;
  readonly revision: number;
  readonly document: ReadingDocument;
  readonly completed_at: string | null;
  readonly created_at: string;
  readonly skip_reason?: string;
  readonly flag_reason?: string;
}

export interface Counts {
  readonly exams: number;
  readonly patients: number;
  readonly images: number;
  readonly normal_exams: number;
  readonly unmarked_findings: number;
  readonly findings: Readonly<Record<string, number>>;
  readonly marks: Readonly<Record<string, number>>;
  readonly density: Readonly<Record<string, number>>;
  readonly splits: Readonly<Record<string, number>>;
  readonly by_split: Readonly<Record<string, Omit<Counts, "splits" | "by_split">>>;
}

export interface Source {
  readonly name?: string;
  readonly licence?: string;
  readonly citation?: string;
}

export interface Snapshot {
  readonly id: string;
  readonly project: string;
  readonly number: number;
  readonly state: "building" | "frozen";
  readonly sha256: string;
  readonly frozen_at: string | null;
  readonly counts: Partial<Counts>;
  readonly policy: { readonly references?: boolean };
  readonly sources: readonly Source[];
  readonly note: string;
  readonly created_at: string;
  readonly job: string | null;
}

export interface Export {
  readonly id: string;
  readonly snapshot: string;
  readonly snapshot_number: number;
  readonly format: "coco" | "csv";
  readonly state: "waiting" | "done";
  readonly sha256: string;
  readonly bytes: number | null;
  readonly file_name: string;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly job: string | null;
}

export interface Method {
  readonly name: string;
  readonly seed_row: number | null;
  readonly task: string;
  readonly fidelity: string;
  readonly findings: readonly string[];
  readonly sizes: readonly string[];
  readonly inputs: { readonly unit?: string; readonly views?: readonly string[] };
  readonly reference: string;
  readonly allowed: boolean;
  readonly refusal: string | null;
}

export interface Run {
  readonly id: string;
  readonly project: string;
  readonly number: number;
  readonly state: JobState;
  readonly method: string;
  readonly size: string;
  readonly task: string;
  readonly findings: readonly string[];
  readonly snapshot: string;
  readonly snapshot_number: number;
  readonly seed: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly init_version: string | null;
  readonly job: Pick<
    Job,
    "id" | "state" | "done" | "total" | "message" | "error" | "attempts" | "started_at" | "finished_at"
  > | null;
  readonly version: string | null;
  readonly headline: Readonly<Record<string, number | null>>;
  readonly exit_code: number | null;
  readonly created_at: string;
  readonly created_by: string | null;
  readonly command?: string;
  readonly request?: Readonly<Record<string, unknown>>;
}

/** One line of what a training says; which fields there are depends on the type. */
export interface RunEvent {
  readonly seq: number;
  readonly attempt: number;
  readonly type: string;
  readonly t: string;
  readonly stage?: string;
  readonly step?: number;
  readonly planned_steps?: number;
  readonly loss?: number | null;
  readonly lr?: number | null;
  readonly images_per_s?: number | null;
  readonly eta_s?: number | null;
  readonly device?: string;
  readonly precision?: string;
  readonly gpu_mem_mb?: number | null;
  readonly n?: Readonly<Record<string, number>>;
  readonly split?: string;
  readonly values?: Readonly<Record<string, number | null>>;
  readonly code?: string;
  readonly text?: string;
  readonly count?: number;
  readonly reason?: string;
  readonly index?: number;
  readonly of?: number;
  readonly seconds?: number;
  readonly best?: boolean;
  readonly what?: string;
  readonly batch?: number;
  readonly accumulate?: number;
  readonly code_version?: string;
  readonly metrics_headline?: Readonly<Record<string, number | null>>;
  readonly resumed_from?: { readonly stage: string; readonly step: number } | null;
}

export interface Metric {
  readonly name: string;
  /** The figure's own name, shared by model, baseline and difference. */
  readonly metric?: string;
  readonly series?: "model" | "baseline" | "difference";
  readonly baseline?: string | null;
  readonly target: string | null;
  readonly level: string;
  readonly split: string;
  readonly subgroup: Readonly<Record<string, string>> | null;
  readonly value: number | null;
  readonly reason?: string | null;
  readonly ci: readonly [number, number] | null;
  readonly n_patients?: number;
  readonly n_units?: number;
  readonly n_pos?: number | null;
  readonly n_neg?: number | null;
  readonly params?: Readonly<Record<string, unknown>>;
}

export type Geometry = readonly (number | readonly (readonly number[])[])[];

/** A case that a model was most wrong about, with what is needed to draw it; geometry in stored pixels. */
export interface Worst {
  readonly split: string;
  readonly target: string;
  readonly kind: "wrong_class" | "missed_finding" | "false_alarm";
  readonly exam_id: string;
  readonly image_id: string;
  readonly what: string;
  readonly thumbnail_url?: string;
  readonly score?: number | null;
  readonly mark?: { readonly kind: string; readonly geometry: Geometry };
  readonly candidates?: readonly {
    readonly box: readonly number[];
    readonly score: number;
    readonly target: string;
  }[];
}

export interface Model {
  readonly id: string;
  readonly project: string;
  readonly number: number;
  readonly task: string;
  readonly method: string;
  readonly size: string;
  readonly seed: number;
  readonly findings: readonly string[];
  readonly state: "candidate" | "promoted" | "retired";
  readonly run: string;
  readonly run_number: number;
  readonly snapshot: string;
  readonly snapshot_number: number;
  readonly snapshot_sha256: string;
  readonly model_sha256: string;
  readonly code_version: string;
  readonly headline: Readonly<Record<string, number | null>>;
  readonly promoted_at: string | null;
  readonly created_at: string;
  readonly metrics?: readonly Metric[];
  readonly curves?: Readonly<Record<string, unknown>>;
  readonly worst?: readonly Worst[];
  readonly history?: readonly {
    readonly was: string;
    readonly became: string;
    readonly by: string | null;
    readonly created_at: string;
  }[];
}

export interface Round {
  readonly id: string;
  readonly project: string;
  readonly number: number;
  readonly state: string;
  readonly strategy: string;
  readonly versions: readonly { readonly id: string; readonly number: number; readonly task: string }[];
  readonly exams: number;
  readonly read: number;
  readonly published_at: string | null;
  readonly closed_at: string | null;
  readonly created_at: string;
  readonly batch_sha256: string;
  readonly weights?: Readonly<Record<string, number>>;
  readonly items?: readonly {
    readonly position: number;
    readonly exam_id: string;
    readonly score: number | null;
    readonly reason: Reason;
  }[];
}

export interface Account {
  readonly id: string;
  readonly username: string;
  readonly is_site_admin: boolean;
  readonly is_active: boolean;
  readonly last_login: string | null;
  readonly created_at: string;
}

export interface Member {
  readonly id: string;
  readonly project: string;
  readonly user: string;
  readonly username: string;
  readonly role: Role;
}

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scope: "read" | "write";
  readonly username: string;
  readonly created_at: string;
  readonly ends_at: string;
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
}

export interface AuditEvent {
  readonly id: number | string;
  readonly at: string;
  readonly actor: string;
  readonly verb: string;
  readonly target_kind: string;
  readonly target_id: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Ingest {
  readonly id: string;
  readonly project: string;
  readonly state: "receiving" | "parsing" | "closed";
  readonly channel: string;
  readonly dataset: string;
  readonly counts: Readonly<
    Record<"accepted" | "duplicate" | "rejected" | "waiting" | "unpacked" | "used", number>
  >;
  /** Why files were rejected, by code. */
  readonly reasons: readonly {
    readonly code: string;
    readonly sentence: string;
    readonly cure: string;
    readonly count: number;
  }[];
  readonly job: Pick<Job, "id" | "state" | "done" | "total" | "message"> | null;
  readonly created_at: string;
  readonly created_by: string;
}

export interface IngestItem {
  readonly n: number;
  readonly state: string;
  readonly code: string;
  readonly sentence: string;
  readonly cure: string;
  readonly bytes: number;
}

export interface ThumbImage {
  readonly id: string;
  readonly laterality: string;
  readonly view: string;
  readonly thumbnail_url: string;
  /** Where rows and columns lead; with it a picture is shown as it hangs. */
  readonly patient_orientation?: string[] | string | null;
}

export interface ExamRow {
  readonly id: string;
  readonly label: string;
  readonly date: string | null;
  readonly age_years: number | null;
  readonly split: Split;
  readonly state: string;
  readonly images: readonly ThumbImage[];
  readonly patient_label: string;
  readonly density: string | null;
  readonly findings: unknown;
}

export interface PredictionRow {
  readonly level: string;
  readonly kind: string;
  readonly target: string;
  readonly class_index?: number | null;
  readonly prob?: number | null;
  readonly score?: number | null;
  readonly member?: number | null;
}

/** What a model says of an image or of the whole exam. */
export interface PredictionUnit {
  readonly unit: string;
  readonly rows: readonly PredictionRow[];
}

/** A DICOMweb archive of somebody else. Its password is never sent back. */
export interface Archive {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly username: string;
  readonly has_password: boolean;
  readonly networks: readonly string[];
  readonly timeout_seconds: number;
}

/** A study as an archive names it: it names people, so it is shown and never kept. */
export interface Study {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  readonly date: string;
  readonly description: string;
  readonly modalities: readonly string[];
  readonly instances: number | null;
}
