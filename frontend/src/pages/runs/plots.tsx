import { Lines, type Series, STYLES } from "../../ui/charts/lines";
import { count, words } from "../../ui/format";
import { Panel } from "../../ui/panel";
import { figureName } from "../models/report";
import { type Curves, type StageLoss, stageLosses } from "./curves";

/** Loss on training and validation patients over all stages, up to the last planned step. */
export function LossPlot({ curves, live }: { curves: Curves; live: boolean }) {
  const series: Series[] = [
    { name: "train", points: curves.trainLoss, style: "one" },
    ...(curves.valLoss.length ? [{ name: "validation", points: curves.valLoss, style: "two" as const }] : []),
  ];
  const stages = stageLosses(curves);
  const end = Math.max(curves.planned, curves.step, 1);
  return (
    <Panel title="Loss" aside={<span className="quiet">{stepText(curves)}</span>}>
      {curves.trainLoss.length === 0 ? (
        <p className="quiet">
          {live ? "The first point comes with the first steps." : "This run told no loss."}
        </p>
      ) : stages.length > 1 ? (
        stages.map((stage) => <OfStage key={stage.name} stage={stage} />)
      ) : (
        <Lines
          title={`Loss against steps; last ${curves.trainLoss.at(-1)?.y.toPrecision(3)}`}
          series={series}
          x={{ label: "step", domain: [0, end], format: count }}
          y={{ label: "loss" }}
          marks={curves.trainLoss.length < 3}
        />
      )}
    </Panel>
  );
}

/** One stage on its own scales. */
function OfStage({ stage }: { stage: StageLoss }) {
  const series: Series[] = [
    { name: "train", points: stage.train, style: "one" },
    ...(stage.validation.length
      ? [{ name: "validation", points: stage.validation, style: "two" as const }]
      : []),
  ];
  return (
    <>
      <h3>{words(stage.name)}</h3>
      <Lines
        title={`Loss of ${words(stage.name)} against steps`}
        series={series}
        x={{ label: "step", domain: [0, Math.max(stage.planned, 1)], format: count }}
        y={{ label: "loss" }}
        marks={stage.train.length < 3}
        height={180}
      />
    </>
  );
}

function stepText(curves: Curves): string {
  return curves.planned ? `step ${count(curves.step)} of ${count(curves.planned)}` : "";
}

/** Figures on validation patients while it trains; without intervals, those come with the model. */
export function ValidationPlot({ curves, live }: { curves: Curves; live: boolean }) {
  const series = curves.validation
    .filter((s) => s.points.length > 0)
    .map(
      (s, i): Series => ({
        name: figureName(s.name),
        points: s.points,
        style: STYLES[i % STYLES.length] ?? "one",
      }),
    );
  const low = Math.min(0, ...series.flatMap((s) => s.points.map((p) => p.y)));
  return (
    <Panel title="Validation patients, while it trains">
      {series.length === 0 ? (
        <p className="quiet">
          {live ? "No figure yet: it is looked at eight times in a training." : "This run told no figure."}
        </p>
      ) : (
        <Lines
          title="Validation figures against steps"
          series={series}
          x={{ label: "step", domain: [0, Math.max(curves.planned, curves.step, 1)], format: count }}
          y={{ label: "", domain: [low, 1] }}
          marks
        />
      )}
    </Panel>
  );
}
