/** A DICOM header (JSON model, PS3.18 annex F) as rows of text. Pure. */

import type { HeaderElement } from "../contract";
import { NAMES } from "./tag-names";

export interface HeaderRow {
  readonly tag: string;
  readonly name: string;
  readonly vr: string;
  readonly value: string;
  readonly depth: number;
}

export type Header = Readonly<Record<string, HeaderElement>>;

/** `(0008,0060)` of `00080060`. */
export function tagText(key: string): string {
  return `(${key.slice(0, 4)},${key.slice(4)})`.toLowerCase();
}

function valueText(element: HeaderElement): string {
  if (element.InlineBinary !== undefined) return "binary";
  if (element.BulkDataURI !== undefined) return "held elsewhere";
  return (element.Value ?? []).map(oneText).join(" \\ ");
}

function oneText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  const name = (value as { Alphabetic?: string }).Alphabetic;
  return name ?? JSON.stringify(value);
}

/** One row an element, those of sequences below their own, indented. */
export function headerRows(header: Header, depth = 0): HeaderRow[] {
  return Object.entries(header)
    .filter(([key]) => /^[0-9A-Fa-f]{8}$/.test(key))
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([key, element]) => {
      const about = { tag: tagText(key), name: NAMES[key.toUpperCase()] ?? "", vr: element.vr, depth };
      if (element.vr !== "SQ") return [{ ...about, value: valueText(element) }];
      const items = (element.Value ?? []) as readonly Header[];
      const own = { ...about, value: `${items.length} item${items.length === 1 ? "" : "s"}` };
      return [own, ...items.flatMap((item) => headerRows(item, depth + 1))];
    });
}

/** Rows that hold a word, in tag, name or value. */
export function matching(rows: readonly HeaderRow[], word: string): HeaderRow[] {
  const wanted = word.trim().toLowerCase();
  if (!wanted) return [...rows];
  return rows.filter((row) => `${row.tag} ${row.name} ${row.value}`.toLowerCase().includes(wanted));
}
