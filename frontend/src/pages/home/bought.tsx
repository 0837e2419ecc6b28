import { useAll } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Lines, STYLES } from "../../ui/charts/lines";
import { Panel } from "../../ui/panel";
import { boughtSeries } from "./learning-curve";

/** What each model was worth, against how many exams had been read for it. */
export function Bought() {
  const { project } = useHere();
  const models = useAll("models/", { project: project.id });
  const snapshots = useAll("snapshots/", { project: project.id });
  const series = boughtSeries(models.data ?? [], snapshots.data ?? []);
  const low = Math.min(0, ...series.flatMap((s) => s.points.map((p) => p.y)));
  const most = Math.max(1, ...series.flatMap((s) => s.points.map((p) => p.x)));
  return (
    <Panel title="What reading has bought">
      <Problem error={models.error ?? snapshots.error} />
      {series.length === 0 ? (
        <p className="quiet">
          The figures of each trained model, against the exams that had been read for it. They appear with the
          first model that has patients to be tested on.
        </p>
      ) : (
        <Lines
          title="Figures on unseen patients against exams read"
          series={series.map((s, i) => ({ ...s, style: STYLES[i % STYLES.length] }))}
          x={{ label: "exams in the snapshot", domain: [0, most] }}
          y={{ label: "on unseen patients", domain: [low, 1] }}
          marks
          height={220}
        />
      )}
    </Panel>
  );
}
