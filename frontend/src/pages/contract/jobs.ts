/** Background work. As the server answers, as far as the pages read it. */

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

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
