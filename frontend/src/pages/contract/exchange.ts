/** Snapshots and the files made of them. As the server answers, as far as the pages read it. */

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
