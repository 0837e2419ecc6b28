import { post } from "../../api/fetch";
import { Link } from "../../router";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { Snippet } from "../../ui/copy";
import { bytes, shortHash } from "../../ui/format";
import { Panel, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Export, Snapshot } from "../contract";

const FORMATS = [
  { format: "coco", name: "COCO", about: "boxes and polygons of every image, normals included" },
  { format: "csv", name: "CSV", about: "one line a finding, a mark, an image, an exam" },
] as const;

const columns: readonly Column<Export>[] = [
  { key: "file", label: "File", value: (row) => row.file_name, cell: (row) => <Download row={row} /> },
  { key: "snapshot", label: "Snapshot", value: (row) => `v${row.snapshot_number}` },
  { key: "format", label: "Format", value: (row) => row.format },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <ExportState row={row} /> },
  { key: "bytes", label: "Size", number: true, value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
  {
    key: "sha",
    label: "SHA-256",
    value: (row) => row.sha256,
    cell: (row) => <code title={row.sha256}>{shortHash(row.sha256)}</code>,
  },
  {
    key: "made",
    label: "Made",
    value: (row) => row.finished_at,
    cell: (row) => <Ago at={row.finished_at} />,
  },
];

const downloadOf = (row: Export) => `/api/v1/exports/${row.id}/download/`;

function Download({ row }: { row: Export }) {
  if (row.state !== "done") return <span className="quiet">{row.file_name}</span>;
  return (
    <a href={downloadOf(row)} download={row.file_name}>
      {row.file_name}
    </a>
  );
}

function ExportState({ row }: { row: Export }) {
  if (row.state === "done" || !row.job) return <State of={row.state} />;
  return <Link href={`/jobs/${row.job}`}>being written</Link>;
}

/** The files made of the project's snapshots, or of one of them. */
export function ExportTable({ of }: { of?: string }) {
  const { project } = useHere();
  const list = useList("exports/", { project: project.id }, 5);
  const rows = list.rows?.filter((row) => !of || row.snapshot === of);
  return (
    <>
      <Problem error={list.error} onRetry={list.reload} />
      {rows && (
        <Table
          name="Exports"
          rows={rows}
          columns={columns}
          rowKey={(row) => row.id}
          more={list.more}
          sortWord="exports"
          empty={<p className="quiet">No file has been made yet. Open a frozen snapshot to make one.</p>}
        />
      )}
    </>
  );
}

/** Make a file of a snapshot: here, or by a program. */
export function Exports({ snapshot }: { snapshot: Snapshot }) {
  const make = useDeed((format: Export["format"]) => post("exports/", { snapshot: snapshot.id, format }));
  const refused = snapshot.state === "frozen" ? null : "Wait until it is frozen.";
  return (
    <Panel title="Exports">
      <div className="form-row">
        {FORMATS.map(({ format, name, about }) => (
          <span key={format} title={about}>
            <Action refused={refused} busy={make.busy} onClick={() => void make.run(format)}>
              Export as {name}
            </Action>
          </span>
        ))}
      </div>
      <Problem error={make.error} />
      <ExportTable key={String(make.busy)} of={snapshot.id} />
      <Snippet
        label="The same from a terminal; make TOKEN under People and tokens"
        text={curl(snapshot.id)}
      />
    </Panel>
  );
}

function curl(snapshot: string): string {
  const api = `${window.location.origin}/api/v1`;
  const auth = '-H "Authorization: Bearer $TOKEN"';
  return [
    `curl -fsS ${auth} -H "Content-Type: application/json" \\`,
    `  -d '{"snapshot": "${snapshot}", "format": "coco"}' ${api}/exports/`,
    "# take the id from the answer; when its state is done:",
    `curl -fOJ ${auth} ${api}/exports/ID/download/`,
  ].join("\n");
}
