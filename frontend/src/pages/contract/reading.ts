/** What waits, and what readers said. As the server answers, as far as the pages read it. */

export interface PartOfScore {
  readonly value: number | null;
  readonly rank: number;
  readonly weight: number;
}

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
