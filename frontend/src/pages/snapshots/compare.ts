/** Counts of two snapshots side by side. Pure. */

import { words } from "../../ui/format";
import type { Counts, SplitCounts } from "../contract";

export interface Line {
  readonly name: string;
  readonly before: number | null;
  readonly after: number;
}

const WHOLE = [
  ["exams", "exams"],
  ["patients", "patients"],
  ["images", "images"],
  ["normal_exams", "exams without a finding"],
] as const;
const PARTS = [
  ["findings", "finding"],
  ["density", "density"],
  ["splits", "exams for"],
] as const;

type Compared = Pick<Counts, (typeof WHOLE)[number][0] | (typeof PARTS)[number][0]>;

/** One line a count, in one order; `before` is null where there is no earlier snapshot. */
export function comparison(before: Compared | null, after: Compared): Line[] {
  const whole = WHOLE.map(([key, name]) => ({
    name,
    before: before ? before[key] : null,
    after: after[key],
  }));
  const parts = PARTS.flatMap(([key, name]) => {
    const names = [...new Set([...Object.keys(after[key]), ...Object.keys(before?.[key] ?? {})])];
    return names.map((part) => ({
      name: `${name}: ${words(part)}`,
      before: before ? (before[key][part] ?? 0) : null,
      after: after[key][part] ?? 0,
    }));
  });
  return [...whole, ...parts];
}

/** `+12`, `-3`, `=`; nothing where there is nothing to compare with. */
export function change(line: Line): string {
  if (line.before === null) return "";
  const by = line.after - line.before;
  return by === 0 ? "=" : `${by > 0 ? "+" : ""}${by}`;
}

/** All findings of a snapshot together. */
export function findingsIn(counts: Pick<SplitCounts, "findings">): number {
  return Object.values(counts.findings).reduce((sum, n) => sum + n, 0);
}
