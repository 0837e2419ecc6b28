/** What the runs made, and what it says. As the server answers, as far as the pages read it. */

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

export interface PredictionRow {
  readonly level: string;
  readonly kind: string;
  readonly target: string;
  readonly class_index?: number | null;
  readonly prob?: number | null;
  readonly score?: number | null;
  readonly member?: number | null;
}

export interface PredictionUnit {
  readonly unit: string;
  readonly rows: readonly PredictionRow[];
}
