import { useEffect, useState } from "react";
import { apiAddress, get } from "../../api/fetch";
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
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setInterval> | null = null;
    const take = (more: readonly RunEvent[]) => {
      const next = joined(known, more);
      if (left || next === known) return;
      known = next;
      setEvents(next);
    };
    const ask = () => eventsAfter(run, known.at(-1)?.seq ?? 0).then(take, () => undefined); // asked again
    function stop() {
      source?.close();
      source = null;
      if (timer) clearInterval(timer);
      timer = null;
    }
    function start() {
      if (left || !live || document.hidden || source || timer) return;
      source = new EventSource(apiAddress(`runs/${run}/events/`, { after: known.at(-1)?.seq ?? null }));
      source.onmessage = (message) => take([JSON.parse(message.data) as RunEvent]);
      source.addEventListener("end", () => source?.close());
      source.onerror = () => {
        if (source?.readyState !== EventSource.CLOSED) return; // the browser connects again, from the last id
        stop();
        timer = setInterval(() => void ask(), POLL_SECONDS * 1000);
      };
    }
    const turn = () => (document.hidden ? stop() : start());
    document.addEventListener("visibilitychange", turn);
    void ask().then(start);
    return () => {
      left = true;
      document.removeEventListener("visibilitychange", turn);
      stop();
    };
  }, [run, live]);
  return events;
}
