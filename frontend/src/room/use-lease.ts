import { useEffect, useState } from "react";
import { ApiError, NetworkError } from "../api/errors";
import { type Opened, type Reading, renewLease } from "./server";

const RENEW_MS = 60_000;

/** What stands in the way of going on. `null`: nothing. */
export type LeaseTrouble = null | "offline" | "signed_out" | "lost" | "closed";

function troubleOf(error: unknown): LeaseTrouble {
  if (error instanceof NetworkError) return "offline";
  if (!(error instanceof ApiError)) throw error;
  if (error.isSignedOut) return "signed_out";
  if (error.code === "annotations.reading_closed") return "closed";
  if (error.status === 409) return "lost";
  if (error.status >= 500 || error.status === 429) return "offline";
  throw error;
}

/** Keep the lease while the page is open: at once, each minute, and when asked (`again`). */
export function useLease(opened: Opened, isHeld: boolean, onReading: (reading: Reading) => void) {
  const [trouble, setTrouble] = useState<LeaseTrouble>(null);
  const [turn, setTurn] = useState(0);
  const { reading, session } = opened;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` asks for another try
  useEffect(() => {
    if (!isHeld) return setTrouble(null);
    let gone = false;
    const renew = async () => {
      try {
        const answer = await renewLease(reading.id);
        if (gone) return;
        setTrouble(null);
        onReading(answer);
        session.adopt(answer);
      } catch (error) {
        if (!gone) setTrouble(troubleOf(error));
      }
    };
    void renew();
    const timer = setInterval(renew, RENEW_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [reading.id, isHeld, turn, session, onReading]);

  return { trouble, again: () => setTurn((n) => n + 1) };
}

/** Whether another window of this browser shows the same reading. */
export function useOtherWindow(readingId: string): boolean {
  const [hasOther, setHasOther] = useState(false);
  useEffect(() => {
    if (typeof BroadcastChannel === "undefined") return;
    const channel = new BroadcastChannel(`mammoloop-reading-${readingId}`);
    channel.onmessage = ({ data }: MessageEvent<"here" | "who" | "bye">) => {
      setHasOther(data !== "bye");
      if (data === "who") channel.postMessage("here");
      if (data === "bye") channel.postMessage("who");
    };
    channel.postMessage("who");
    const leave = () => channel.postMessage("bye");
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      leave();
      channel.close();
    };
  }, [readingId]);
  return hasOther;
}
