import type { WindowChoice } from "../api/types";
import { type Shading, voiFunctionOf } from "./voi";

/** A VOI LUT of a file (0028,3010): the grey, 0 to 1, of each value from `first` on. */
export type VoiTable = { first: number; greys: readonly number[]; explanation: string };

/** All that a file says of how it wants to be looked at. */
export type Looks = {
  windows: readonly WindowChoice[];
  voiFunction: string;
  tables: readonly VoiTable[];
};

export const ALL_VALUES = "all values";

/**
 * The ways to look at an image, the one to open with first: the file's windows in its order, its tables, all values.
 *
 * A file may hold windows and tables beside each other; one of them is applied, never both (PS3.3 C.11.2.1). The first
 * window opens it, because a maker's first one is meant so; without one the first table, without either all values.
 */
export function waysToLook(looks: Looks, range: readonly [number, number]): Shading[] {
  const windows = looks.windows
    .filter((choice) => Number.isFinite(choice.center) && choice.width > 0)
    .map((choice, n) => ofWindow(choice, looks.voiFunction, n));
  return withOwnNames([...windows, ...looks.tables.map(ofTable), ofRange(range)]);
}

const plain = { table: null, inverted: false };

const ofWindow = (choice: WindowChoice, name: string, n: number): Shading => ({
  ...plain,
  center: choice.center,
  width: choice.width,
  function: voiFunctionOf(name),
  name: choice.explanation || `window ${n + 1}`,
});

function ofTable({ first, greys, explanation }: VoiTable, n: number): Shading {
  const width = Math.max(greys.length - 1, 1);
  const name = explanation ? `${explanation} (LUT)` : `LUT ${n + 1}`;
  return { ...plain, center: first + width / 2, width, function: "LINEAR_EXACT", table: greys, name };
}

const ofRange = ([low, high]: readonly [number, number]): Shading => ({
  ...plain,
  center: (low + high) / 2,
  width: Math.max(high - low, 1),
  function: "LINEAR_EXACT",
  name: ALL_VALUES,
});

/** Names that a person can tell apart, where a file gives one twice. */
function withOwnNames(ways: Shading[]): Shading[] {
  const seen = new Map<string, number>();
  return ways.map((way) => {
    const name = way.name as string;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? way : { ...way, name: `${name} ${times}` };
  });
}

/** The way after (or before) the one that is used, round the list; after one set by hand, the first. */
export function nextWay(ways: readonly Shading[], now: Shading, by: 1 | -1): Shading {
  const at = ways.findIndex((way) => way.name === now.name);
  const to = at < 0 ? 0 : (at + by + ways.length) % ways.length;
  return { ...(ways[to] as Shading), inverted: now.inverted };
}
