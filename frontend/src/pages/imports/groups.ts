/** Results of an import, grouped by why. Pure. */

import type { IngestItem } from "../contract";

export interface Group {
  readonly code: string;
  readonly sentence: string;
  readonly cure: string;
  readonly numbers: readonly number[];
}

/** Items by their code, the most frequent first. */
export function groupsOf(items: readonly IngestItem[]): Group[] {
  const groups = new Map<string, Group>();
  for (const item of items) {
    const code = item.code || item.state;
    const known = groups.get(code);
    const numbers = [...(known?.numbers ?? []), item.n];
    groups.set(code, { code, sentence: item.sentence || code, cure: item.cure, numbers });
  }
  return [...groups.values()].sort(
    (a, b) => b.numbers.length - a.numbers.length || a.code.localeCompare(b.code),
  );
}

/** `1–3, 7, 9–10`. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && n === last[1] + 1) last[1] = n;
    else parts.push([n, n]);
  }
  return parts.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(", ");
}
