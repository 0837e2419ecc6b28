import type { Run } from "../contract";

/** Whether a run still waits or trains. */
export function isLive(run: Pick<Run, "state">): boolean {
  return run.state === "queued" || run.state === "running";
}
