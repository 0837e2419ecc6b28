import type { PageProps } from "../../router";
import { Link } from "../../router";
import { Problem } from "../../shell/problem";
import { useBelongsTo, useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { Bars } from "../../ui/charts/bars";
import { CopyButton } from "../../ui/copy";
import { count, counted, words } from "../../ui/format";
import { Empty, type Fact, Facts, PageHead, Panel, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Counts, Snapshot, SplitCounts } from "../contract";
import { findingsIn } from "./compare";
import { Exports } from "./exports";
import { useSnapshot } from "./find";
import { Sources } from "./sources";

/** One snapshot: what is in it, where it came from, the files made of it. */
export default function SnapshotPage({ params }: PageProps) {
  const { project } = useHere();
  const { data, error, reload } = useSnapshot(project.id, params.name ?? "");
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data === null && (
        <Empty title={`${project.name} has no snapshot ${params.name}.`}>
          <Link href="/snapshots">All snapshots of this project</Link>
        </Empty>
      )}
      {data && <Detail snapshot={data} />}
    </main>
  );
}

function Detail({ snapshot }: { snapshot: Snapshot }) {
  const { role } = useHere();
  return (
    <>
      <PageHead
        title={`Snapshot v${snapshot.number}`}
        about={
          <>
            <State of={snapshot.state} /> <Ago at={snapshot.frozen_at ?? snapshot.created_at} />
          </>
        }
      >
        {role === "admin" && snapshot.state === "frozen" && (
          <Link className="button" href={`/runs?retrain=${snapshot.id}`}>
            Retrain from it
          </Link>
        )}
      </PageHead>
      {snapshot.state === "building" && (
        <p>
          Being frozen
          {snapshot.job && (
            <>
              {" "}
              by <Link href={`/jobs/${snapshot.job}`}>a job</Link>
            </>
          )}
          ; this page follows it.
        </p>
      )}
      <div className="columns">
        <div>
          <Datasheet snapshot={snapshot} />
          <Sources snapshot={snapshot} />
        </div>
        {snapshot.counts && <Content counts={snapshot.counts} />}
      </div>
      <Exports snapshot={snapshot} />
    </>
  );
}

function Content({ counts }: { counts: Counts }) {
  return (
    <div>
      <Panel title="Findings">
        <Bars title="Findings by type" rows={Object.entries(counts.findings)} of={findingsIn(counts)} />
      </Panel>
      <Panel title="Density, exams">
        <Bars title="Exams by density" rows={Object.entries(counts.density)} of={counts.exams} />
      </Panel>
      <Panel title="By split">
        <BySplit counts={counts} />
      </Panel>
    </div>
  );
}

function Datasheet({ snapshot }: { snapshot: Snapshot }) {
  const counts = snapshot.counts;
  return (
    <Panel title="Datasheet">
      <Facts
        rows={[
          [
            "what",
            "expert readings of mammograms: density and BI-RADS per breast, findings with their marks",
          ],
          ...(counts ? sizes(counts) : []),
          [
            "which readings",
            snapshot.policy.references ? "of experts; else what came with the data set" : "of experts",
          ],
          ["splits", "by patient, drawn once when the exam came into the project; they never move"],
          ["coordinates", "stored pixels, origin at the outer corner of the first pixel, y down"],
          snapshot.note ? ["note", snapshot.note] : null,
          snapshot.sha256
            ? [
                "SHA-256",
                <span key="sha">
                  <code>{snapshot.sha256}</code> <CopyButton text={snapshot.sha256} />
                </span>,
              ]
            : null,
          ["use", "research only; it must not be used to identify anybody"],
        ]}
      />
    </Panel>
  );
}

const sizes = (counts: Counts): Fact[] => [
  ["exams", `${count(counts.exams)} of ${count(counts.patients)} patients, ${count(counts.images)} images`],
  ["without a finding", counted(counts.normal_exams, "exam")],
  ["without a mark", counted(counts.unmarked_findings, "finding")],
];

interface SplitRow {
  readonly split: string;
  readonly counts: SplitCounts;
}

const splitColumns: readonly Column<SplitRow>[] = [
  { key: "split", label: "Split", value: (row) => words(row.split) },
  { key: "exams", label: "Exams", number: true, value: (row) => row.counts.exams },
  { key: "patients", label: "Patients", number: true, value: (row) => row.counts.patients },
  { key: "images", label: "Images", number: true, value: (row) => row.counts.images },
  { key: "findings", label: "Findings", number: true, value: (row) => findingsIn(row.counts) },
  { key: "normal", label: "Without finding", number: true, value: (row) => row.counts.normal_exams },
];

function BySplit({ counts }: { counts: Counts }) {
  const rows = Object.entries(counts.by_split).map(([split, of]) => ({ split, counts: of }));
  return (
    <Table
      name="Counts by split"
      rows={rows}
      columns={splitColumns}
      rowKey={(row) => row.split}
      sortWord="splits"
    />
  );
}
