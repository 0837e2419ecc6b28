/** Why an exam stands where it stands, in words. Pure. */

import { figure, words } from "../ui/format";
import type { Reason, WorklistEntry } from "./contract";

/** The parts of a score, what weighs most first. */
export function partsOf(
  reason: Reason | null,
): { part: string; value: number | null; rank: number; weight: number }[] {
  const parts = Object.entries(reason?.parts ?? {}).map(([part, row]) => ({ part, ...row }));
  return parts.sort((a, b) => b.rank * b.weight - a.rank * a.weight || a.part.localeCompare(b.part));
}

/** One line: `unsure of density and mass`, or why there is no score. */
export function reasonText(reason: Reason | null): string {
  const parts = partsOf(reason);
  if (parts.length === 0) return reason ? "no score yet: in drawn order" : "not ranked yet: in drawn order";
  const high = parts.filter((part) => part.rank >= 0.5).map((part) => words(part.part));
  if (high.length === 0) return `the model is fairly sure, least of ${words(parts[0]?.part)}`;
  const named = high.slice(0, 3);
  const last = named.pop();
  return `unsure of ${named.length ? `${named.join(", ")} and ` : ""}${last}`;
}

/** Why an entry of the worklist comes when it comes. */
export function entryText(entry: Pick<WorklistEntry, "tier" | "reason">): string {
  return entry.tier === 0
    ? "validation, test or audit: read first, in drawn order"
    : reasonText(entry.reason);
}

/** Each part with its place among all exams, for the page that explains. */
export function partText(part: { part: string; value: number | null; rank: number; weight: number }): string {
  return `${words(part.part)}: uncertainty ${figure(part.value)}, above ${Math.round(part.rank * 100)} % of the exams, weight ${part.weight}`;
}
