import { Link } from "../../router";
import { useAll, useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { figure, words } from "../../ui/format";
import { Facts, Panel } from "../../ui/panel";
import type { Model } from "../contract";
import { predictionLines } from "./prediction-lines";

/** What the promoted models say of an exam. */
export function Predictions({ exam }: { exam: string }) {
  const { project } = useHere();
  const models = useAll("models/", { project: project.id, state: "promoted" });
  const promoted = models.data ?? [];
  if (models.error) return <Problem error={models.error} onRetry={models.reload} />;
  if (promoted.length === 0) return null;
  return (
    <Panel title="What the promoted models say">
      <p className="quiet">Readers do not see this: they read blind.</p>
      {promoted.map((model) => (
        <OfModel key={model.id} model={model} exam={exam} />
      ))}
    </Panel>
  );
}

function OfModel({ model, exam }: { model: Model; exam: string }) {
  const { data, error } = useAnswer(`models/${model.id}/predictions/`, { exam });
  const lines = predictionLines(data ?? []);
  return (
    <>
      <p>
        <Link href={`/models/${model.id}`}>Model {model.number}</Link>, {words(model.task)}
      </p>
      <Problem error={error} />
      {data && lines.length === 0 && <p className="quiet">It has said nothing of this exam.</p>}
      <Facts rows={lines.map((line) => [line.what, figure(line.value)])} />
    </>
  );
}
