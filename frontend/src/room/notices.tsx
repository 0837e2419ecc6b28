import type { ReactNode } from "react";
import { FINDING_NAMES, findingRows, type ReadingDocument } from "../reading/document";
import type { ReadingSession, SessionState } from "../reading/session";
import { Link } from "../router";
import { SIDE_NAMES } from "./checks";
import { RoomDialog } from "./dialogs";
import type { LeaseTrouble } from "./use-lease";

type Props = {
  state: SessionState;
  session: ReadingSession;
  trouble: LeaseTrouble;
  hasOtherWindow: boolean;
  hasLostContext: boolean;
  onTryAgain: () => void;
  onAmend: () => void;
};

/** What the person must know before anything is lost, each with what can be done. */
export function Notices(props: Props) {
  const { state, session, trouble, hasOtherWindow, hasLostContext, onTryAgain, onAmend } = props;
  const { save } = state;
  const isLost = save.kind === "lost" || trouble === "lost";
  return (
    <div className="notices" role="status">
      {isLost && (
        <Notice kind="bad">
          The lease on this exam ended and it was given to somebody else. What was saved stays in your
          reading; changes that were not sent are kept in this browser.{" "}
          <button type="button" className="room-button" onClick={onTryAgain}>
            Try to take it again
          </button>{" "}
          <Link href="/">Leave</Link>
        </Notice>
      )}
      {save.kind === "refused" && (
        <Notice kind="bad">
          The server does not take the last change: {save.error.message} {save.error.cure}{" "}
          {save.error.requestId && <code>{save.error.requestId}</code>}{" "}
          <button type="button" className="room-button" onClick={() => session.retry()}>
            Try again
          </button>{" "}
          <button type="button" className="room-button" onClick={() => void session.dropRefused()}>
            Set this change aside
          </button>
        </Notice>
      )}
      {(save.kind === "closed" || trouble === "closed") && (
        <Notice kind="bad">
          This reading is complete: it was completed in another window, or the time to amend it ran out.
          Changes that were not sent are kept in this browser.{" "}
          <button type="button" className="room-button" data-testid="amend-again" onClick={onAmend}>
            {save.kind === "closed" ? "Amend it and send them" : "Amend it"}
          </button>
        </Notice>
      )}
      {(save.kind === "waiting" || trouble === "offline") && (
        <Notice kind="warn">
          The server cannot be reached. Go on reading: changes are kept here and sent as soon as it answers.{" "}
          <button type="button" className="room-button" onClick={onTryAgain}>
            Try now
          </button>
        </Notice>
      )}
      {hasOtherWindow && (
        <Notice kind="warn">This exam is open in another window of this browser, too.</Notice>
      )}
      {state.changedElsewhere && (
        <Notice kind="warn">
          The reading was changed in another window or on another machine, too: you see both changes.
        </Notice>
      )}
      {hasLostContext && (
        <Notice kind="warn">The graphics driver was restarted; the images were painted again.</Notice>
      )}
      {state.hasAside && (
        <Notice kind="warn">
          A version of yours was set aside.{" "}
          <button type="button" className="room-button" onClick={() => void session.restoreAside()}>
            Bring it back
          </button>
        </Notice>
      )}
    </div>
  );
}

function Notice({ kind, children }: { kind: "warn" | "bad"; children: ReactNode }) {
  return <p className={`notice notice-${kind}`}>{children}</p>;
}

/** Two versions of one reading: the person chooses, and the other one is kept. */
export function ConflictDialog({ state, session }: { state: SessionState; session: ReadingSession }) {
  const { save } = state;
  if (save.kind !== "conflict") return null;
  return (
    <RoomDialog title="This reading was changed elsewhere">
      <p>In another window or on another machine, in the same place that you changed. Which version holds?</p>
      <div className="versions">
        <Version title={`Theirs, revision ${save.theirs.revision}`} document={save.theirs.document}>
          <button
            type="button"
            className="room-button"
            data-testid="choose-theirs"
            onClick={() => void session.choose("theirs")}
          >
            Take theirs, set mine aside
          </button>
        </Version>
        <Version title="Mine" document={save.mine}>
          <button
            type="button"
            className="room-button room-primary"
            data-testid="choose-mine"
            onClick={() => void session.choose("mine")}
          >
            Keep mine
          </button>
        </Version>
      </div>
      <p className="room-quiet">Theirs stays in the history of the reading either way.</p>
    </RoomDialog>
  );
}

function marksLabel(marks: object): string {
  const count = Object.keys(marks).length;
  return count === 1 ? "1 mark" : `${count} marks`;
}

function Version({
  title,
  document,
  children,
}: {
  title: string;
  document: ReadingDocument;
  children: ReactNode;
}) {
  const { R, L } = document.breasts;
  return (
    <section className="version">
      <h3>{title}</h3>
      <p>
        Density {R.density ?? "–"} right, {L.density ?? "–"} left. BI-RADS {R.birads ?? "–"} right,{" "}
        {L.birads ?? "–"} left.
      </p>
      <ul>
        {findingRows(document).map(({ id, number, finding }) => (
          <li key={id}>
            {number} {FINDING_NAMES[finding.type]}
            {finding.laterality && `, ${SIDE_NAMES[finding.laterality]}`}
            {finding.birads && ` · BI-RADS ${finding.birads}`} · {marksLabel(finding.marks)}
          </li>
        ))}
      </ul>
      {document.comment && <p>“{document.comment}”</p>}
      {children}
    </section>
  );
}
