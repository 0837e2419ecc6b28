import { useEffect, useState } from "react";
import { apiAddress, get } from "../api/fetch";
import type { Job } from "../api/types";

interface Watch<T> {
  /** Where the server sends what changed, as Server-Sent Events; asked for at each connection. */
  readonly stream: () => string;
  /** What a message of the stream says. */
  readonly read: (message: string) => T;
  /** The same by asking, for where no stream comes through. */
  readonly ask: () => Promise<T>;
  readonly everySeconds: number;
}

/**
 * Follow something of the server: by its stream, by asking where the stream fails. A page that nobody looks at lets go
 * of the stream: a browser has six connections to a server, and six forgotten tabs would take them all.
 */
export function follow<T>(watch: Watch<T>, onData: (data: T) => void): () => void {
  const { stream, read, ask, everySeconds } = watch;
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setInterval> | null = null;
  const poll = () => ask().then(onData, () => undefined); // the next round asks again
  function stop() {
    source?.close();
    source = null;
    if (timer) clearInterval(timer);
    timer = null;
  }
  function start() {
    if (source || timer || document.hidden) return;
    source = new EventSource(stream());
    source.onmessage = (event) => onData(read(event.data));
    source.addEventListener("end", () => source?.close()); // there is no more to come
    source.onerror = () => {
      if (source?.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
      stop();
      timer = setInterval(poll, everySeconds * 1000);
      void poll();
    };
  }
  const turn = () => (document.hidden ? stop() : start());
  document.addEventListener("visibilitychange", turn);
  start();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    stop();
  };
}

const POLL_SECONDS = 3;

/** The rows that a stream of jobs sends: a list of those that run, or one job by its id. */
export function useLiveJobs(query: { project?: string; id?: string } | null): readonly Job[] | undefined {
  const [jobs, setJobs] = useState<readonly Job[]>();
  const project = query?.project;
  const id = query?.id;
  useEffect(() => {
    if (!project && !id) return;
    setJobs(undefined);
    const ask = async (): Promise<readonly Job[]> => {
      if (id) return [await get(`jobs/${id}/`)];
      const [running, queued] = await Promise.all(
        ["running", "queued"].map((state) => get("jobs/", { project, state })),
      );
      return [...(running?.results ?? []), ...(queued?.results ?? [])];
    };
    const stream = () => (id ? apiAddress(`jobs/${id}/events/`) : apiAddress("jobs/events/", { project }));
    return follow({ stream, read: JSON.parse, ask, everySeconds: POLL_SECONDS }, setJobs);
  }, [project, id]);
  return jobs;
}
