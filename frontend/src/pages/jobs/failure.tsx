import { CopyButton } from "../../ui/copy";
import type { Job } from "../contract";

/** Why a failed job or run is not offered to be done again. */
export const SETTLED = "It would fail in the same way.";

/** Why a job failed, what to do about it, and what to quote to somebody who can help. */
export function Failure({ job }: { job: Pick<Job, "id" | "error"> }) {
  const error = job.error;
  if (!error) return null;
  const words = (error.detail as { text?: unknown } | null)?.text;
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{error.sentence}</strong>
      </p>
      {typeof words === "string" && words && <p>{words}</p>}
      <p>{error.cure}</p>
      <p className="problem-id">
        <code>{error.code}</code>
        <CopyButton text={`${error.code} job ${job.id}`} label="Copy for support" />
      </p>
    </div>
  );
}
