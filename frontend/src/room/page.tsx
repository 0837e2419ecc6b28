import { useCallback, useEffect, useState } from "react";
import { ApiError } from "../api/errors";
import { loadSession, useSession } from "../api/session";
import { Link, type PageProps } from "../router";
import { SignIn } from "../shell/sign-in";
import { clearStage } from "../viewer/stage";
import { Room } from "./room";
import { type Opened, openReading } from "./server";
import "./room.css";
import "./wall.css";
import "./answers.css";
import "./tools.css";

/** `/read/<id>`: one reading, or why it cannot be shown. */
export default function RoomPage({ params }: PageProps) {
  const id = params.id as string;
  const me = useSession();
  const [opened, setOpened] = useState<Opened | null>(null);
  const [error, setError] = useState<Error | null>(null);

  const fail = useCallback(
    (reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason))),
    [],
  );
  useEffect(() => {
    if (me === undefined) loadSession().catch(fail);
  }, [me, fail]);

  // Once open, a session that ends closes nothing: the room keeps the work and asks to sign in again.
  const canOpen = Boolean(me) || opened !== null;
  useEffect(() => {
    if (!canOpen) return;
    let gone = false;
    let mine: Opened | null = null;
    openReading(id)
      .then((next) => {
        mine = next;
        if (gone) next.session.close();
        else setOpened(next);
      })
      .catch(fail);
    return () => {
      gone = true;
      mine?.session.close();
    };
  }, [id, canOpen, fail]);

  useEffect(() => clearStage, []);

  if (opened?.reading.id === id) return <Room key={id} opened={opened} username={me?.username ?? ""} />;
  if (me === null) return <SignIn />;
  return (
    <main className="room-empty dark">
      {error ? <Failure error={error} /> : <p role="status">Opening the exam…</p>}
    </main>
  );
}

function Failure({ error }: { error: Error }) {
  const id = error instanceof ApiError ? error.requestId : null;
  return (
    <div role="alert">
      <h1>This exam cannot be opened</h1>
      <p>{error.message}</p>
      {error instanceof ApiError && error.cure && <p>{error.cure}</p>}
      {id && (
        <p className="room-quiet">
          Request <code>{id}</code>
        </p>
      )}
      <p>
        <button type="button" className="room-button" onClick={() => window.location.reload()}>
          Try again
        </button>{" "}
        <Link href="/">Go to the first page</Link>
      </p>
    </div>
  );
}
