/** Order of table rows, and the words for it in the address: `score` up, `-score` down. Pure. */

import type { Cell } from "../csv";

export interface Sort {
  readonly key: string;
  readonly down: boolean;
}

export function parseSort(text: string | null): Sort | null {
  if (!text) return null;
  return text.startsWith("-") ? { key: text.slice(1), down: true } : { key: text, down: false };
}

export function sortText(sort: Sort | null): string | null {
  return sort && `${sort.down ? "-" : ""}${sort.key}`;
}

/** What a click on a column's head makes of the order: up, down, then as it came. */
export function turned(sort: Sort | null, key: string): Sort | null {
  if (sort?.key !== key) return { key, down: false };
  return sort.down ? null : { key, down: true };
}

const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compare(a: Cell, b: Cell): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return names.compare(String(a), String(b));
}

const nothing = (value: Cell) => value === null || value === undefined || value === "" || Number.isNaN(value);

/** Rows in order of a value; what has none stands last either way, and equals stay as they came. */
export function sorted<R>(rows: readonly R[], value: (row: R) => Cell, down: boolean): R[] {
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (nothing(a) || nothing(b)) return Number(nothing(a)) - Number(nothing(b));
    return down ? compare(b, a) : compare(a, b);
  });
}
