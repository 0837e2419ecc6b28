import { createContext, type ReactNode, useContext } from "react";
import type { Job } from "../pages/contract";
import { Link } from "../router";
import { counted, percent, share } from "../ui/format";
import { Ring } from "../ui/progress";
import { useLiveJobs } from "./live";
import { useHere } from "./project";

const Context = createContext<readonly Job[]>([]);

/** One stream for the whole page: the bar and the home page look at the same rows. */
export function RunningJobs({ children }: { children: ReactNode }) {
  const { project } = useHere();
  const jobs = useLiveJobs({ project: project.id });
  return <Context value={jobs ?? []}>{children}</Context>;
}

/** The jobs of this project that wait or run now. */
export const useRunning = (): readonly Job[] => useContext(Context);

/** How far all of them are together; null while none knows its whole. */
export function shareOfAll(jobs: readonly Pick<Job, "done" | "total">[]): number | null {
  const known = jobs.flatMap((job) => share(job.done, job.total) ?? []);
  return known.length ? known.reduce((sum, part) => sum + part, 0) / jobs.length : null;
}

/** `2 jobs · 64 %` with a ring; it opens the list. */
export function RunningRing() {
  const jobs = useRunning();
  const part = shareOfAll(jobs);
  return (
    <Link href="/jobs" className="bar-jobs" title="Jobs that wait or run in this project">
      {jobs.length > 0 && <Ring part={part} />}
      <span aria-live="polite">
        {jobs.length > 0
          ? `${counted(jobs.length, "job")}${part === null ? "" : ` · ${percent(part)}`}`
          : "no jobs"}
      </span>
    </Link>
  );
}
