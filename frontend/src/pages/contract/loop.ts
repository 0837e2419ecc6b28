/** The loop: its strip and its rounds. As the server answers, as far as the pages read it. */

import type { JobState } from "./jobs";
import type { Reason } from "./reading";

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
    /** The short name of the exam; empty where it is gone. */
    readonly label: string;
    readonly score: number | null;
    readonly reason: Reason;
  }[];
}
