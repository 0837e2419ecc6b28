import { Link } from "../../router";
import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { useAddress } from "../../ui/address";
import { day } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { Filters } from "../../ui/table/filters";
import { type Column, Table } from "../../ui/table/table";
import type { ExamRow } from "../contract";
import { findingCount } from "./hanging";
import { Thumbs } from "./thumbs";

const words = (values: readonly string[]) =>
  values.map((value) => ({ value, label: value.replaceAll("_", " ") }));

const FILTERS = [
  { word: "split", label: "Split", options: words(["train", "val", "test", "audit"]) },
  { word: "state", label: "State", options: words(["waiting", "held", "read"]) },
  { word: "density", label: "Density", options: words(["a", "b", "c", "d"]) },
  {
    word: "finding",
    label: "Finding",
    options: words(["mass", "calcification", "asymmetry", "architectural_distortion"]),
  },
  { word: "unread", label: "Unread", options: [{ value: "1", label: "only unread" }] },
] as const;

const columns: readonly Column<ExamRow>[] = [
  {
    key: "views",
    label: "Views",
    bare: true,
    value: () => null,
    cell: (row) => <Thumbs images={row.images} />,
  },
  { key: "label", label: "Exam", value: (row) => row.label },
  { key: "patient", label: "Patient", value: (row) => row.patient_label },
  { key: "date", label: "Date", value: (row) => row.date, cell: (row) => day(row.date) },
  { key: "age", label: "Age, years", number: true, value: (row) => row.age_years },
  { key: "split", label: "Split", value: (row) => row.split },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "density", label: "Density", value: (row) => row.density },
  { key: "findings", label: "Findings", number: true, value: (row) => findingCount(row.findings) },
];

/** Every exam of the project, with its views. */
export default function ExamsPage() {
  const { project, role } = useHere();
  const { query } = useAddress();
  const asked = Object.fromEntries(FILTERS.map(({ word }) => [word, query.get(word)]));
  const filtered = FILTERS.some(({ word }) => query.get(word));
  const list = useList("exams/", { project: project.id, ...asked }, 15);
  return (
    <main className="page">
      <PageHead title="Exams" about="dates are moved by a secret number of days per patient">
        {role === "admin" && (
          <Link className="button" href="/import">
            Import
          </Link>
        )}
      </PageHead>
      <Filters filters={FILTERS} />
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Exams"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/exams/${row.id}`}
          more={list.more}
          empty={<NoExams filtered={filtered} admin={role === "admin"} />}
        />
      )}
    </main>
  );
}

function NoExams({ filtered, admin }: { filtered: boolean; admin: boolean }) {
  if (filtered) return <Empty title="No exam fits these filters." />;
  return (
    <Empty title="No exams yet.">
      {admin ? (
        <>
          <Link href="/import">Drop DICOM files</Link>, or pull exams from a PACS under Archives.
        </>
      ) : (
        "An administrator of this project imports them."
      )}
    </Empty>
  );
}
