/** Methods and trainings. As the server answers, as far as the pages read it. */

import type { Job, JobState } from "./jobs";

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
