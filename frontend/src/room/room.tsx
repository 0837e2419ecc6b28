import { useCallback, useEffect, useLayoutEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useSession } from "../api/session";
import { layoutsFor } from "../hanging/layouts";
import { navigate } from "../router";
import { Stage } from "../viewer/stage";
import { Bar } from "./bar";
import { KeysDialog, ReasonDialog, SignInDialog } from "./dialogs";
import { Finish } from "./finish";
import { HeatPanel } from "./heat-panel";
import { ConflictDialog, Notices } from "./notices";
import { Panel } from "./panel";
import { projectName } from "./project-name";
import type { Opened, Reading } from "./server";
import { flagReading, skipReading } from "./server";
import { Toolbar } from "./toolbar";
import { useFinish } from "./use-finish";
import { useHeat } from "./use-heat";
import { useLease, useOtherWindow } from "./use-lease";
import { useRoom } from "./use-room";
import { useWork } from "./use-work";
import { Wall } from "./wall";

/** The reading room: the wall of images, the answers, and one large key. */
export function Room({ opened, username }: { opened: Opened; username: string }) {
  const { session, exam } = opened;
  const [reading, setReading] = useState<Reading>(opened.reading);
  const state = useSyncExternalStore(session.subscribe, session.state);
  const me = useSession();
  const isMine = !me || reading.reader === me.id;
  const isHeld = isMine && reading.state !== "complete";
  const { trouble, again } = useLease(opened, isHeld, setReading);
  const hasOtherWindow = useOtherWindow(reading.id);
  const finish = useFinish({ reading, session, onReading: setReading });
  const isPortrait = useIsPortrait();
  const layouts = useMemo(() => layoutsFor(exam.images, isPortrait), [exam, isPortrait]);
  const isLost =
    trouble === "lost" || trouble === "closed" || state.save.kind === "lost" || state.save.kind === "closed";
  const isLocked = !isHeld || isLost;
  const heat = useHeat(reading);
  const room = useRoom({
    session,
    state,
    layouts,
    isLocked,
    onComplete: finish.complete,
    onHeat: heat.toggle,
  });
  const [stage, hasLostContext] = useStage(opened);
  const work = useWork(opened, stage);

  const tryAgain = useCallback(() => {
    again();
    session.retry();
  }, [again, session]);
  useNetworkBack(tryAgain);
  useWarnBeforeLeaving(state.save.kind !== "saved");

  const layout = layouts[Math.min(room.layout, layouts.length - 1)];
  const isSignedOut = trouble === "signed_out" || state.save.kind === "signed_out";
  return (
    <div className={room.isPanelFolded ? "room dark room-folded" : "room dark"}>
      <Bar
        project={projectName(me, reading.project)}
        exam={exam}
        left={work?.left ?? null}
        reading={reading}
        save={state.save}
        trouble={trouble}
        username={username}
        onKeys={() => room.show("keys")}
      />
      <Notices
        state={state}
        session={session}
        trouble={trouble}
        hasOtherWindow={hasOtherWindow}
        hasLostContext={hasLostContext}
        onTryAgain={tryAgain}
        onAmend={() => void finish.amend(reading.id).then(tryAgain)}
      />
      {stage && layout ? (
        <Wall
          stage={stage}
          images={exam.images}
          layout={layout}
          state={state}
          room={room}
          isLocked={isLocked}
          heat={heat}
        />
      ) : (
        <main className="wall-empty">This exam has no image that can be hung.</main>
      )}
      {!room.isPanelFolded && (
        <Panel
          document={state.document}
          images={exam.images}
          selection={room.selection}
          nextType={room.nextType}
          isLocked={isLocked}
          edit={room.edit}
          onSelect={room.select}
          onType={(type) => room.act(`type:${type}`)}
          onRemove={() => room.act("remove")}
          above={<HeatPanel heat={heat} />}
        >
          <Finish
            reading={reading}
            finish={finish}
            isMine={isMine}
            isLocked={isLocked}
            lastCompleted={work?.last_completed ?? null}
            onNormal={() => room.act("normal")}
            onSkip={() => room.show("skip")}
            onFlag={() => room.show("flag")}
          />
        </Panel>
      )}
      <Toolbar
        tool={room.tool}
        layouts={layouts}
        layout={room.layout}
        areMarksHidden={room.areMarksHidden}
        canUndo={state.canUndo && !isLocked}
        canRedo={state.canRedo && !isLocked}
        onDeed={room.act}
        onLayout={room.hang}
      />
      {room.dialog === "keys" && <KeysDialog onClose={() => room.show(null)} />}
      {room.dialog === "skip" && (
        <ReasonDialog
          title="Skip this exam"
          action="Skip"
          onClose={() => room.show(null)}
          onGiven={async (reason) => {
            await session.flushed();
            await skipReading(reading.id, reason);
            await finish.next();
          }}
        />
      )}
      {room.dialog === "flag" && (
        <ReasonDialog
          title="Flag this exam for a colleague"
          action="Flag"
          onClose={() => room.show(null)}
          onGiven={async (reason) => {
            setReading(await flagReading(reading.id, reason));
            room.show(null);
          }}
        />
      )}
      {state.save.kind === "conflict" && <ConflictDialog state={state} session={session} />}
      {isSignedOut && <SignInDialog username={username} onSignedIn={tryAgain} />}
      {finish.isAllRead && (
        <AllRead last={reading.state === "complete" ? reading.id : (work?.last_completed ?? null)} />
      )}
    </div>
  );
}

function AllRead({ last }: { last: string | null }) {
  return (
    <div className="all-read" role="status" data-testid="all-read">
      <h1>All read</h1>
      <p>No exam waits for you in this project.</p>
      <p>
        <button type="button" className="room-button room-primary" onClick={() => navigate("/")}>
          First page
        </button>{" "}
        {last && <a href={`/read/${last}`}>Back to the exam just completed</a>}
      </p>
    </div>
  );
}

/** The viewer, with this exam's images and those fetched ahead of it in memory, no others. */
function useStage({ exam }: Opened): [Stage | null, boolean] {
  const [stage, setStage] = useState<Stage | null>(null);
  const [hasLostContext, setLost] = useState(false);
  useLayoutEffect(() => {
    const opened = new Stage(exam.images, () => setLost(true));
    setStage(opened);
    return () => opened.close();
  }, [exam]);
  return [stage, hasLostContext];
}

function useIsPortrait(): boolean {
  const query = useMemo(() => window.matchMedia("(orientation: portrait)"), []);
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => query.matches,
  );
}

function useNetworkBack(tryAgain: () => void): void {
  useEffect(() => {
    window.addEventListener("online", tryAgain);
    return () => window.removeEventListener("online", tryAgain);
  }, [tryAgain]);
}

function useWarnBeforeLeaving(hasUnsaved: boolean): void {
  useEffect(() => {
    if (!hasUnsaved) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [hasUnsaved]);
}
