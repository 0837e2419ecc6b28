import { useMemo } from "react";
import { useAnswer } from "../../shell/data";
import { Sparkline } from "../../ui/charts/sparkline";
import { figure } from "../../ui/format";
import type { Run } from "../contract";
import { curvesOf } from "./curves";
import { isLive } from "./state";

const POLL_SECONDS = 5;

/**
 * The loss of a run as a small line; that of a running one grows. Asked for, not streamed: a table of streams would
 * take all connections of the browser. The first thousand events are enough for a line of a hundred pixels.
 */
export function RunSparkline({ run }: { run: Run }) {
  const { data } = useAnswer(`runs/${run.id}/events/`, {}, isLive(run) ? POLL_SECONDS : null);
  const points = useMemo(() => curvesOf(data ?? []).trainLoss, [data]);
  const last = points.at(-1);
  return <Sparkline points={points} label={last ? `loss, last ${figure(last.y)}` : "no loss yet"} />;
}
