import { Link, type PageProps } from "../../router";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { useChosen } from "../../ui/chosen";
import { Snippet } from "../../ui/copy";
import { shortHash, words } from "../../ui/format";
import { Facts, PageHead, Panel, State } from "../../ui/panel";
import type { ModelDetail } from "../contract";
import { CompareWith } from "./compare";
import { Figures } from "./figures";
import { ModelPlots } from "./plots";
import { Steps } from "./promotion";
import { splitsOf } from "./report";
import { WorstCases } from "./worst";
import "./models.css";

/** The report of one model version. */
export default function ModelPage({ params }: PageProps) {
  const { data, error, reload } = useAnswer(`models/${params.id}/`);
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail model={data} onChanged={reload} />}
    </main>
  );
}

const SPLITS: Readonly<Record<string, string>> = {
  test: "test patients, never seen",
  val: "validation patients, used to stop the training",
  audit: "audit patients, never queried",
  train: "training patients",
};

function Detail({ model, onChanged }: { model: ModelDetail; onChanged: () => void }) {
  const { metrics } = model;
  const splits = splitsOf(metrics);
  const [split = "test", choose] = useChosen(splits);
  return (
    <>
      <PageHead
        title={`Model ${model.number}`}
        about={
          <>
            <State of={model.state} /> {words(model.task)} · {model.method} · {model.size} · seed {model.seed}
          </>
        }
      >
        <Steps model={model} onChanged={onChanged} />
      </PageHead>
      <fieldset className="tabs">
        <legend className="visually-hidden">Patients</legend>
        {splits.map((name) => (
          <label key={name}>
            <input type="radio" name="split" checked={name === split} onChange={() => choose(name)} />
            {SPLITS[name] ?? name}
          </label>
        ))}
      </fieldset>
      <Figures metrics={metrics} split={split} />
      <div className="with-side">
        <div>
          <ModelPlots model={model} split={split} />
        </div>
        <div>
          <Origin model={model} />
          <CompareWith model={model} />
          <History model={model} />
        </div>
      </div>
      <WorstCases model={model.id} rows={model.worst.filter((row) => row.split === split)} />
    </>
  );
}

function Origin({ model }: { model: ModelDetail }) {
  return (
    <Panel title="Origin">
      <Facts
        rows={[
          ["run", <Link key="r" href={`/runs/${model.run}`}>{`Run ${model.run_number}`}</Link>],
          [
            "snapshot",
            <Link key="s" href={`/snapshots/v${model.snapshot_number}`}>{`v${model.snapshot_number}`}</Link>,
          ],
          [
            "labels",
            <code key="l" title={model.snapshot_sha256}>
              {shortHash(model.snapshot_sha256)}
            </code>,
          ],
          [
            "weights",
            <code key="w" title={model.model_sha256}>
              {shortHash(model.model_sha256)}
            </code>,
          ],
          ["began", <Beginning key="b" model={model} />],
          model.init_weights && [
            "licence of these",
            `${model.init_weights.licence}, from ${model.init_weights.origin}`,
          ],
          model.code_version ? ["code", model.code_version] : null,
          model.findings.length > 0 && ["findings", model.findings.map(words).join(", ")],
          ["made", <Ago key="a" at={model.created_at} />],
        ]}
      />
      <Snippet
        label="The report from a terminal"
        text={`curl -fsS -H "Authorization: Bearer $TOKEN" ${window.location.origin}/api/v1/models/${model.id}/`}
      />
    </Panel>
  );
}

function Beginning({ model }: { model: ModelDetail }) {
  if (model.init_weights) {
    return <span title={model.init_weights.sha256}>with the trunk of {model.init_weights.name}</span>;
  }
  if (!model.init_version) return "from scratch";
  return <Link href={`/models/${model.init_version}`}>from model {model.init_number}</Link>;
}

function History({ model }: { model: ModelDetail }) {
  const { history } = model;
  if (history.length === 0) return null;
  return (
    <Panel title="History">
      <Facts
        rows={history.map((step) => [
          `${step.was} → ${step.became}`,
          <span key={step.created_at}>
            <Ago at={step.created_at} />
            {step.by && ` by ${step.by}`}
          </span>,
        ])}
      />
    </Panel>
  );
}
