/** Exams and images, imports, archives of others. As the server answers, as far as the pages read it. */

import type { Split } from "../../api/types";
import type { Job } from "./jobs";

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

export interface Archive {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly username: string;
  readonly has_password: boolean;
  readonly networks: readonly string[];
  readonly timeout_seconds: number;
}

export interface Study {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  readonly date: string;
  readonly description: string;
  readonly modalities: readonly string[];
  readonly instances: number | null;
}
