import { useEffect, useState } from "react";
import type { ExamDetail } from "../api/types";
import { type SaveState, saveLabel } from "../reading/save-state";
import { Link } from "../router";
import type { Reading } from "./server";
import type { LeaseTrouble } from "./use-lease";

type Props = {
  project: string;
  exam: ExamDetail;
  /** Exams that wait; null while nobody said so. */
  left: number | null;
  reading: Reading;
  save: SaveState;
  trouble: LeaseTrouble;
  username: string;
  onKeys: () => void;
};

/** Project, exam, what is left, time; at the end whether all is saved. */
export function Bar({ project, exam, left, reading, save, trouble, username, onKeys }: Props) {
  const facts = [
    exam.age_years !== null && `${exam.age_years} y`,
    exam.date && dateOf(exam.date),
    left !== null && `${left} left`,
  ];
  return (
    <header className="room-bar">
      <Link href="/" className="room-project">
        {project || "MammoLoop"}
      </Link>
      <strong data-testid="exam-label">Exam {exam.label}</strong>
      <span className="room-quiet">{facts.filter(Boolean).join(" · ")}</span>
      <Clock />
      <span className="room-bar-end">
        {reading.state === "complete" && <span className="room-quiet">complete</span>}
        {reading.state === "amending" && <span className="save-warn">amending</span>}
        <SaveLabel save={save} trouble={trouble} />
        <button type="button" className="room-link" onClick={onKeys}>
          <kbd>?</kbd> keys
        </button>
        <span className="room-quiet">{username}</span>
      </span>
    </header>
  );
}

function SaveLabel({ save, trouble }: { save: SaveState; trouble: LeaseTrouble }) {
  const isGood = save.kind === "saved" && !trouble;
  const kind = isGood ? "good" : save.kind === "saving" ? "quiet" : "warn";
  const at = save.kind === "saved" && save.at ? new Date(save.at) : null;
  return (
    <span
      className={`save save-${kind}`}
      data-testid="save-state"
      data-state={save.kind}
      data-revision={save.kind === "saved" ? save.revision : undefined}
      role="status"
      title={at ? `The server has it since ${at.toLocaleTimeString()}` : undefined}
    >
      {saveLabel(save)}
    </span>
  );
}

const dateOf = (iso: string): string =>
  new Date(`${iso.slice(0, 10)}T00:00:00`).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
  });

/** Minutes and seconds since the exam was opened, while its window is looked at. */
function Clock() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && setSeconds((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const two = (n: number) => String(n).padStart(2, "0");
  return (
    <span className="room-quiet room-clock">
      {two(Math.floor(seconds / 60))}:{two(seconds % 60)}
    </span>
  );
}
