import { useEffect, useState } from "react";
import { apiAddress, get } from "../../api/fetch";
import { follow } from "../../shell/live";
import type { RunEvent } from "../contract";

const PAGE = 1000;
const POLL_SECONDS = 2;

async function eventsAfter(run: string, after: number): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for (;;) {
    const some = await get(`runs/${run}/events/`, { after: (all.at(-1)?.seq ?? after) || null });
    all.push(...some);
    if (some.length < PAGE) return all;
  }
}

/** New events after those that are known; one that came twice is taken once. Pure. */
export function joined(known: readonly RunEvent[], more: readonly RunEvent[]): readonly RunEvent[] {
  const last = known.at(-1)?.seq ?? 0;
  const fresh = more.filter((event) => event.seq > last);
  return fresh.length ? [...known, ...fresh] : known;
}

/** What a training has said, and goes on saying: fetched, then streamed, then asked for where no stream comes. */
export function useRunEvents(run: string, live: boolean): readonly RunEvent[] {
  const [events, setEvents] = useState<readonly RunEvent[]>([]);
  useEffect(() => {
    let known: readonly RunEvent[] = [];
    let left = false;
    let leave: (() => void) | undefined;
    const last = () => known.at(-1)?.seq ?? 0;
    const take = (more: readonly RunEvent[]) => {
      const next = joined(known, more);
      if (left || next === known) return;
      known = next;
      setEvents(next);
    };
    const ask = () => eventsAfter(run, last());
    const stream = () => apiAddress(`runs/${run}/events/`, { after: last() || null });
    const read = (message: string) => [JSON.parse(message) as RunEvent];
    const start = () => {
      if (live && !left) leave = follow({ stream, read, ask, everySeconds: POLL_SECONDS }, take);
    };
    void ask()
      .then(take, () => undefined)
      .then(start);
    return () => {
      left = true;
      leave?.();
    };
  }, [run, live]);
  return events;
}
