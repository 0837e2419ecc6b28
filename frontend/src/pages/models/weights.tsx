import { useRef, useState } from "react";
import { apiAddress, remove } from "../../api/fetch";
import { sendFile } from "../../api/sending";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { SelectField, TextField } from "../../ui/field";
import { bytes, shortHash } from "../../ui/format";
import { Empty, Panel } from "../../ui/panel";
import { Progress } from "../../ui/progress";
import { type Column, Table } from "../../ui/table/table";
import type { WeightsFile } from "../contract";

const LAYOUTS = [
  { value: "auto", label: "found out by its names" },
  { value: "torchvision", label: "torchvision" },
  { value: "timm", label: "timm" },
  { value: "own", label: "our own" },
];

/** Weights that were brought: a training can start from them. */
export function WeightsLibrary() {
  const { project, role } = useHere();
  const list = useList("weights/", { project: project.id });
  const admin = role === "admin";
  return (
    <Panel title="Weights brought from elsewhere">
      <p className="hint">
        A network that learned from other pictures can lend its trunk to a training: choose it as the start of
        a run. The names in the file tell its network; where the trunk of a method is of another, or of
        another depth or width, the run ends as soon as it begins, with the reason.
      </p>
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Weights"
          rows={list.rows}
          columns={admin ? [...columns, forgetting(list.reload)] : columns}
          rowKey={(row) => row.id}
          more={list.more}
          empty={<Empty title="None yet." />}
        />
      )}
      {admin && <Bring onBrought={list.reload} />}
    </Panel>
  );
}

const columns: readonly Column<WeightsFile>[] = [
  { key: "name", label: "File", value: (row) => row.name },
  { key: "bytes", label: "Size", value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
  { key: "family", label: "Network", value: (row) => row.family ?? "none that is known here" },
  { key: "layout", label: "Names", value: (row) => row.layout },
  { key: "origin", label: "From", value: (row) => row.origin },
  { key: "licence", label: "Licence", value: (row) => row.licence },
  {
    key: "sha256",
    label: "SHA-256",
    value: (row) => row.sha256,
    cell: (row) => <code title={row.sha256}>{shortHash(row.sha256)}</code>,
  },
  {
    key: "made",
    label: "Brought",
    value: (row) => row.created_at,
    cell: (row) => <Ago at={row.created_at} />,
  },
];

const forgetting = (onForgotten: () => void): Column<WeightsFile> => ({
  key: "forget",
  label: "Forget",
  bare: true,
  value: () => null,
  cell: (row) => <Forget weights={row} onForgotten={onForgotten} />,
});

function Forget({ weights, onForgotten }: { weights: WeightsFile; onForgotten: () => void }) {
  const forget = useDeed(async () => {
    await remove(`weights/${weights.id}/`);
    onForgotten();
  });
  return (
    <>
      <Action busy={forget.busy} onClick={() => void forget.run()}>
        Forget
      </Action>
      <Problem error={forget.error} />
    </>
  );
}

function Bring({ onBrought }: { onBrought: () => void }) {
  const { project } = useHere();
  const chooser = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  const [licence, setLicence] = useState("");
  const [origin, setOrigin] = useState("");
  const [layout, setLayout] = useState("auto");
  const [sent, setSent] = useState(0);
  const stop = useRef<AbortController>(null);
  const bring = useDeed(async () => {
    if (!file) return;
    stop.current = new AbortController();
    setSent(0);
    const said = { project: project.id, licence, origin, layout: layout as "auto" };
    await sendFile<WeightsFile>({
      method: "POST",
      address: apiAddress("weights/", said),
      file,
      name: file.name,
      signal: stop.current.signal,
      onBytes: setSent,
    });
    setFile(null);
    setLicence("");
    setOrigin("");
    onBrought();
  });
  const lacking = [!file && "a file", !licence.trim() && "its licence", !origin.trim() && "where it is from"];
  const missing = lacking.filter(Boolean).join(", ");
  return (
    <div className="form wide">
      <div className="form-row">
        <Action onClick={() => chooser.current?.click()}>{file ? file.name : "Choose a file…"}</Action>
        <input
          ref={chooser}
          type="file"
          hidden
          aria-label="Weights file"
          accept=".safetensors,.pth,.pt"
          onChange={(event) => setFile(event.target.files?.[0] ?? null)}
        />
        <TextField label="Licence" value={licence} onChange={setLicence} placeholder="BSD-3-Clause" />
        <TextField label="From" value={origin} onChange={setOrigin} placeholder="address or citation" />
        <SelectField label="Names of its tensors" value={layout} onChange={setLayout} options={LAYOUTS} />
      </div>
      {bring.busy && (
        <p aria-live="polite">
          <Progress done={sent} total={file?.size || 1} label="Sending" /> {bytes(sent)} of{" "}
          {bytes(file?.size)}
        </p>
      )}
      <Problem error={bring.error} />
      <div className="form-row">
        <Action
          busy={bring.busy}
          refused={missing ? `First: ${missing}.` : null}
          onClick={() => void bring.run()}
        >
          Bring it
        </Action>
        {bring.busy && <Action onClick={() => stop.current?.abort()}>Stop</Action>}
      </div>
    </div>
  );
}
