import type { ExamDetail } from "../../api/types";
import { useAll, useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Panel } from "../../ui/panel";
import { Explained } from "./explained";
import { Predictions } from "./predictions";

/**
 * What models make of an exam; to administrators alone, and never in the reading room.
 *
 * The heat maps are asked for first. Whoever still reads the exam is refused there, hears so once, and no model's
 * answer is asked for at all.
 */
export function ModelsSay({ exam }: { exam: ExamDetail }) {
  const { project } = useHere();
  const { data: maps, error } = useAnswer("explanations/", { project: project.id, exam: exam.id });
  const { data: placing } = useAll(maps ? "models/" : null, { project: project.id, exam: exam.id });
  if (error) {
    return (
      <Panel title="What the models say">
        <Problem error={error} />
      </Panel>
    );
  }
  if (!maps) return null;
  return (
    <>
      <Predictions exam={exam.id} />
      <Explained exam={exam} maps={maps} placing={placing ?? []} />
    </>
  );
}
