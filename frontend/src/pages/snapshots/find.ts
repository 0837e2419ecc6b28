import { useCallback, useEffect, useState } from "react";
import { get, getMore, post } from "../../api/fetch";
import { type Loaded, settledError } from "../../shell/data";
import type { DryRun, Snapshot } from "../contract";

/** The number in an address: `v4` and `4` are 4; anything else is an id. Pure. */
export function numberOf(name: string): number | null {
  const found = /^v?(\d{1,9})$/.exec(name);
  return found ? Number(found[1]) : null;
}

async function findSnapshot(project: string, name: string): Promise<Snapshot | null> {
  const number = numberOf(name);
  if (number === null) return get(`snapshots/${encodeURIComponent(name)}/`);
  let page = await get("snapshots/", { project, page_size: 200 });
  for (;;) {
    const found = page.results.find((row) => row.number === number);
    if (found || !page.next) return found ?? null;
    page = await getMore<"snapshots/">(page.next);
  }
}

/** A snapshot by what its address calls it; `null` where the project has none of that number. */
export function useSnapshot(project: string, name: string): Loaded<Snapshot | null> {
  const [state, setState] = useState<{ data?: Snapshot | null; error: Error | null }>({ error: null });
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn asks again
  useEffect(() => {
    let left = false;
    findSnapshot(project, name)
      .then((data) => !left && setState({ data, error: null }))
      .catch((cause) => !left && setState({ error: settledError(cause) }));
    return () => {
      left = true;
    };
  }, [project, name, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const building = state.data?.state === "building";
  useEffect(() => {
    if (!building) return;
    const timer = setInterval(reload, 1500);
    return () => clearInterval(timer);
  }, [building, reload]);
  return { data: state.data, error: state.error, reload };
}

/** What a snapshot taken now would hold; asked as a POST, but it writes nothing. */
export function useDryRun(project: string, references: boolean): Loaded<DryRun> {
  const [state, setState] = useState<{ key: string; data?: DryRun; error: Error | null }>({
    key: "",
    error: null,
  });
  const [turn, setTurn] = useState(0);
  const key = `${project} ${references}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn asks again
  useEffect(() => {
    let left = false;
    post("snapshots/dry-run/", { project, policy: { references } })
      .then((data) => !left && setState({ key, data, error: null }))
      .catch((cause) => !left && setState({ key, error: settledError(cause) }));
    return () => {
      left = true;
    };
  }, [project, references, key, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const current = state.key === key;
  return { data: current ? state.data : undefined, error: current ? state.error : null, reload };
}
