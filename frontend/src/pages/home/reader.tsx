import { type RefObject, useEffect, useRef } from "react";
import { Link, navigate } from "../../router";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { counted } from "../../ui/format";
import { Empty, PageHead } from "../../ui/panel";
import type { Worklist } from "../contract";

/** How many exams wait, and one large key. */
export function ReaderHome() {
  const { project } = useHere();
  const { data, error, reload } = useAnswer("worklist/", { project: project.id }, 60);
  return (
    <main className="page">
      <PageHead title={project.name} />
      <Problem error={error} onRetry={reload} />
      {data && <Waiting work={data} />}
    </main>
  );
}

/** The large key has the focus when the page opens; Enter presses it also after a click beside it. */
function useEnterToStart(box: RefObject<HTMLElement | null>, waits: boolean): void {
  useEffect(() => {
    if (!waits) return;
    box.current?.querySelector<HTMLElement>(".primary")?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter" && event.target === document.body) navigate("/read");
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [box, waits]);
}

/** What waits for one reader; also on the page of the worklist. */
export function Waiting({ work }: { work: Worklist }) {
  const box = useRef<HTMLElement>(null);
  useEnterToStart(box, work.left > 0);
  if (work.left === 0) {
    return (
      <Empty title="Nothing waits for you.">
        <p>
          You have read {counted(work.done, "exam")} here. New exams appear when somebody imports them, or
          when another reader gives one back.
        </p>
        <LastCompleted work={work} />
      </Empty>
    );
  }
  return (
    <section className="start" aria-label="Reading" ref={box}>
      <p className="start-count">
        {counted(work.left, "exam")} {work.left === 1 ? "waits" : "wait"}
      </p>
      <p className="quiet">
        Next:{" "}
        {work.mine_held > 0 ? "the exam that you began; your work in it is kept" : "the first in the order"}.
        You have read {counted(work.done, "exam")} here.
      </p>
      <Link href="/read" className="button primary large">
        Start reading <kbd>Enter</kbd>
      </Link>
      <LastCompleted work={work} />
    </section>
  );
}

function LastCompleted({ work }: { work: Worklist }) {
  if (!work.last_completed) return null;
  return (
    <p>
      <Link href={`/read/${work.last_completed}`}>Back to the exam that you completed last</Link>
    </p>
  );
}
