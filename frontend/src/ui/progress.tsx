import { percent, share, timeLeft } from "./format";

/** A bar that says how far; without a known whole it says only that something runs. */
export function Progress({ done, total, label }: { done: number; total: number | null; label: string }) {
  const part = share(done, total);
  return (
    <progress className="progress" aria-label={label} max={1} {...(part === null ? {} : { value: part })}>
      {percent(part)}
    </progress>
  );
}

/** A ring for the bar of the shell; `part` between 0 and 1, or null where nobody knows. */
export function Ring({ part }: { part: number | null }) {
  const around = 2 * Math.PI * 6;
  return (
    <svg className="ring" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <circle cx="8" cy="8" r="6" className="ring-track" />
      <circle
        cx="8"
        cy="8"
        r="6"
        className="ring-done"
        strokeDasharray={`${(part ?? 0.25) * around} ${around}`}
        transform="rotate(-90 8 8)"
      />
    </svg>
  );
}

interface Running {
  readonly done: number;
  readonly total: number | null;
  readonly message: string;
  readonly eta_s: number | null;
  readonly state: string;
}

/** What a job says of itself on one line: `41 %, scoring, 6 min left`. */
export function progressText(job: Running): string {
  if (job.state === "queued") return "waiting for a worker";
  const part = share(job.done, job.total);
  const left = / left$/.test(job.message) ? "" : timeLeft(job.eta_s); // a job that knows better says so itself
  return [part === null ? "" : percent(part), job.message, left].filter(Boolean).join(", ");
}
