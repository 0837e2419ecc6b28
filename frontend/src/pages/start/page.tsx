import { useEffect, useRef, useState } from "react";
import { post } from "../../api/fetch";
import { navigate } from "../../router";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Empty } from "../../ui/panel";

/** Takes the next exam and opens the reading room on it. */
export default function StartPage() {
  const { project } = useHere();
  const [nothing, setNothing] = useState(false);
  const asked = useRef(false);
  const next = useDeed(async () => {
    const reading = await post("worklist/next/", { project: project.id });
    if (reading === null) setNothing(true);
    else navigate(`/read/${reading.id}`, { replace: true });
  });
  const { run } = next;
  useEffect(() => {
    if (asked.current) return; // a lease is taken once, however often React runs effects
    asked.current = true;
    void run();
  }, [run]);
  return (
    <main className="page">
      <Problem error={next.error} onRetry={() => void run()} />
      {nothing ? (
        <Empty title="Nothing waits for you.">
          <p>New exams appear when somebody imports them, or when another reader gives one back.</p>
        </Empty>
      ) : (
        !next.error && <p className="quiet">Taking the next exam…</p>
      )}
    </main>
  );
}
