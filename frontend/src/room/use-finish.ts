import { useCallback, useRef, useState } from "react";
import { ApiError } from "../api/errors";
import type { Version } from "../reading/rebase";
import type { ReadingSession } from "../reading/session";
import { navigate } from "../router";
import { isEmpty } from "./checks";
import { amendReading, completeReading, discardAmendment, leaseNext, type Reading } from "./server";

type Props = { reading: Reading; session: ReadingSession; onReading: (reading: Reading) => void };

export type Finishing = {
  /** Sign what is saved and go on to the next exam. */
  complete: () => Promise<void>;
  next: () => Promise<void>;
  amend: (readingId: string) => Promise<void>;
  discard: () => Promise<void>;
  isBusy: boolean;
  /** Why it did not go on. */
  problem: string | null;
  isAllRead: boolean;
};

/** Leave the field that is being typed into, so that its text is sent before anything is signed. */
const leaveField = (): void => {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
};

export function useFinish({ reading, session, onReading }: Props): Finishing {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [isAllRead, setAllRead] = useState(false);
  const busy = useRef(false);

  const doing = useCallback(async (deed: () => Promise<void>) => {
    if (busy.current) return;
    busy.current = true;
    setBusy(true);
    setProblem(null);
    try {
      await deed();
    } catch (error) {
      const cure = error instanceof ApiError && error.cure ? ` ${error.cure}` : "";
      setProblem(`${error instanceof Error ? error.message : String(error)}${cure}`);
    } finally {
      busy.current = false;
      setBusy(false);
    }
  }, []);

  const goOn = useCallback(async () => {
    const next = await leaseNext(reading.project);
    if (next) navigate(`/read/${next.id}`, { replace: true });
    else setAllRead(true);
  }, [reading.project]);

  const sign = useCallback(async () => {
    leaveField();
    const revision = await session.flushed();
    if (revision === null) throw new Error("Not everything is saved yet: the line at the top says why.");
    if (isEmpty(session.document))
      throw new Error("Nothing was said of this exam yet: N says normal, both breasts.");
    try {
      onReading(await completeReading(reading.id, revision));
    } catch (error) {
      const theirs =
        error instanceof ApiError && error.status === 412
          ? (error.detail as { theirs?: Version })?.theirs
          : null;
      if (theirs) session.adopt(theirs);
      throw error;
    }
  }, [reading.id, session, onReading]);

  return {
    complete: () =>
      doing(async () => {
        if (reading.state !== "complete") await sign();
        await goOn();
      }),
    next: () => doing(goOn),
    amend: (readingId) =>
      doing(async () => {
        const amended = await amendReading(readingId);
        if (readingId === reading.id) onReading(amended);
        else navigate(`/read/${readingId}`);
      }),
    discard: () =>
      doing(async () => {
        const kept = await discardAmendment(reading.id);
        onReading(kept);
        session.adopt(kept);
      }),
    isBusy,
    problem,
    isAllRead,
  };
}
