import { SIDES } from "../../reading/document";
import { Link } from "../../router";
import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { words } from "../../ui/format";
import { Panel, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Reading } from "../contract";

/** `R c, BI-RADS 2 · L c, BI-RADS 2`. Pure. */
export function breastsText(document: Reading["document"]): string {
  return SIDES.flatMap((side) => {
    const breast = document.breasts[side];
    const said = [breast.density && `density ${breast.density}`, breast.birads && `BI-RADS ${breast.birads}`];
    return said.some(Boolean) ? [`${side} ${said.filter(Boolean).join(", ")}`] : [];
  }).join(" · ");
}

/** `mass R, BI-RADS 4; calcification L`. Pure. */
export function findingsText(document: Reading["document"]): string {
  return Object.values(document.findings)
    .map((f) =>
      [[words(f.type), f.laterality].filter(Boolean).join(" "), f.birads && `BI-RADS ${f.birads}`]
        .filter(Boolean)
        .join(", "),
    )
    .join("; ");
}

/** What readers said of an exam, as far as one may see it. */
export function Readings({ exam }: { exam: string }) {
  const { me, project } = useHere();
  const list = useList("readings/", { project: project.id, exam });
  const columns: readonly Column<Reading>[] = [
    {
      key: "who",
      label: "Reading",
      value: (row) => row.reader_name ?? row.source,
      cell: (row) => (
        <>
          {row.reader === me.id || row.state === "complete" ? (
            <Link href={`/read/${row.id}`}>
              {row.reader === me.id ? "yours" : (row.reader_name ?? row.source)}
            </Link>
          ) : (
            (row.reader_name ?? row.source)
          )}{" "}
          <span className="quiet">{row.purpose}</span>
        </>
      ),
    },
    { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
    { key: "revision", label: "Revision", number: true, value: (row) => row.revision },
    { key: "breasts", label: "Breasts", value: (row) => breastsText(row.document) || "nothing yet" },
    { key: "findings", label: "Findings", value: (row) => findingsText(row.document) || "none" },
    {
      key: "remark",
      label: "Remark",
      value: (row) => row.flag_reason || row.skip_reason || row.document.comment || null,
    },
    {
      key: "done",
      label: "Completed",
      value: (row) => row.completed_at,
      cell: (row) => <Ago at={row.completed_at} />,
    },
  ];
  return (
    <Panel title="Readings">
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Readings"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          sortWord="readings"
          more={list.more}
          empty={<p className="quiet">Nobody has read it yet, or what was read is not yours to see.</p>}
        />
      )}
    </Panel>
  );
}
