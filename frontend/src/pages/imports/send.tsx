import { type DragEvent, useRef, useState } from "react";
import { post } from "../../api/fetch";
import { navigate } from "../../router";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { bytes, count, counted } from "../../ui/format";
import { Panel } from "../../ui/panel";
import { Progress } from "../../ui/progress";
import { bytesOf, type Chosen, fromDrop, fromInput, meant } from "./choose";
import { DatasetChoice } from "./dataset-choice";
import { keepNames } from "./names";
import { type Sent, send } from "./upload";

const NOTHING: Sent = { files: 0, bytes: 0, names: new Map(), failed: [] };

/** Drop or choose, send, close: the server looks at the files after that. */
export function Upload() {
  const { project } = useHere();
  const [chosen, setChosen] = useState<readonly Chosen[]>([]);
  const [dataset, setDataset] = useState("auto");
  const [sent, setSent] = useState<Sent>(NOTHING);
  const stop = useRef<AbortController>(null);
  const add = (more: readonly Chosen[]) => setChosen((was) => [...was, ...meant(more)]);
  const upload = useDeed(async () => {
    stop.current = new AbortController();
    setSent(NOTHING);
    const ingest = await post("ingests/", { project: project.id, dataset });
    const end = await send(ingest.id, chosen, stop.current.signal, setSent);
    if (end.files === 0) throw new Error(`No file arrived: ${end.failed[0]?.why ?? "nothing was sent"}`);
    keepNames(ingest.id, end.names);
    await post(`ingests/${ingest.id}/close/`);
    if (end.failed.length === 0) navigate(`/import/${ingest.id}`);
    setChosen(chosen.filter((c) => end.failed.some((f) => f.path === c.path)));
  });
  const total = bytesOf(chosen);
  return (
    <Panel title="Bring images in">
      <Drop onChosen={add} busy={upload.busy} />
      <DatasetChoice value={dataset} onChange={setDataset} />
      {upload.busy && (
        <p aria-live="polite">
          <Progress done={sent.bytes} total={total || 1} label="Sending" /> {count(sent.files)} of{" "}
          {count(chosen.length)} files, {bytes(sent.bytes)} of {bytes(total)}. Leave this page open until all
          are sent.
        </p>
      )}
      {sent.failed.length > 0 && <Failed failed={sent.failed} />}
      <Problem error={upload.error} />
      <div className="form-row">
        <Action
          kind="primary"
          busy={upload.busy}
          refused={chosen.length ? null : "Choose files first."}
          onClick={() => void upload.run()}
        >
          {chosen.length ? `Send ${counted(chosen.length, "file")}, ${bytes(total)}` : "Send"}
        </Action>
        {upload.busy && <Action onClick={() => stop.current?.abort()}>Stop</Action>}
        {chosen.length > 0 && !upload.busy && (
          <Action onClick={() => setChosen([])}>Forget the choice</Action>
        )}
      </div>
    </Panel>
  );
}

function Failed({ failed }: { failed: Sent["failed"] }) {
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{counted(failed.length, "file")} did not arrive.</strong> The others were taken; send these
        again.
      </p>
      <ul>
        {failed.slice(0, 20).map(({ path, why }) => (
          <li key={path}>
            {path}: {why}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Drop({ onChosen, busy }: { onChosen: (chosen: readonly Chosen[]) => void; busy: boolean }) {
  const [over, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (!busy) void fromDrop(event.dataTransfer).then(onChosen);
  };
  const drag = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  return (
    <section
      className={over ? "drop over" : "drop"}
      aria-label="Drop zone"
      onDragOver={drag}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p>Drop DICOM files, folders or zip archives here</p>
      <Action onClick={() => files.current?.click()}>Choose files…</Action>{" "}
      <Action onClick={() => folder.current?.click()}>Choose a folder…</Action>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label="Files"
        onChange={(event) => onChosen(fromInput(event.target.files ?? []))}
      />
      <input
        ref={folder}
        type="file"
        multiple
        hidden
        aria-label="Folder"
        {...{ webkitdirectory: "" }}
        onChange={(event) => onChosen(fromInput(event.target.files ?? []))}
      />
      <p className="hint">
        Names, ids and dates are taken out of every file before it is stored. File names of DICOM are not
        kept.
      </p>
    </section>
  );
}
