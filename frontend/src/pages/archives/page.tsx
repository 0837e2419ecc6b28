import { useState } from "react";
import { post } from "../../api/fetch";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Empty, PageHead } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Archive } from "../contract";
import { ArchiveForm } from "./form";

const columns: readonly Column<Archive>[] = [
  { key: "name", label: "Archive", value: (row) => row.name },
  { key: "url", label: "Address", value: (row) => row.url },
  { key: "user", label: "User", value: (row) => row.username || null },
  { key: "password", label: "Password", value: (row) => (row.has_password ? "kept, encrypted" : "none") },
  { key: "echo", label: "Answers?", bare: true, value: () => null, cell: (row) => <Echo archive={row} /> },
];

/** The archives that exams can be pulled from. */
export default function ArchivesPage() {
  const { me } = useHere();
  const [adding, setAdding] = useState(false);
  const list = useList(me.is_site_admin ? "archives/" : null);
  if (!me.is_site_admin) {
    return (
      <main className="page">
        <Empty title="Archives are kept by those who look after this installation." />
      </main>
    );
  }
  return (
    <main className="page">
      <PageHead title="Archives" about="PACS and others that speak DICOMweb">
        {!adding && (
          <Action kind="primary" onClick={() => setAdding(true)}>
            Add an archive…
          </Action>
        )}
      </PageHead>
      {adding && (
        <ArchiveForm
          onClose={() => setAdding(false)}
          onSaved={() => {
            setAdding(false);
            list.reload();
          }}
        />
      )}
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Archives"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/archives/${row.id}`}
          more={list.more}
          empty={
            <Empty title="No archive yet.">
              Add the address of a DICOMweb service, try it, search it, and pull exams into a project.
            </Empty>
          }
        />
      )}
    </main>
  );
}

/** Ask whether the archive is there. */
export function Echo({ archive }: { archive: Archive }) {
  const [took, setTook] = useState<number | null>(null);
  const ask = useDeed(async () => {
    setTook(null);
    const begun = performance.now();
    await post(`archives/${archive.id}/echo/`);
    setTook(performance.now() - begun);
  });
  return (
    <>
      <Action busy={ask.busy} onClick={() => void ask.run()}>
        Try
      </Action>{" "}
      {took !== null && <span role="status">answered in {Math.round(took)} ms</span>}
      <Problem error={ask.error} />
    </>
  );
}
