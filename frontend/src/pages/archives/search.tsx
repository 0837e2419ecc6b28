import { type FormEvent, useState } from "react";
import { post } from "../../api/fetch";
import { navigate } from "../../router";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { TextField } from "../../ui/field";
import { count, counted } from "../../ui/format";
import { Panel } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Archive, Study } from "../contract";
import { dateRange, dicomDay, personName } from "./dates";

/** Search an archive and pull what was chosen. What it names is not kept in the address: it names people. */
export function Search({ archive }: { archive: Archive }) {
  const [patient, setPatient] = useState("");
  const [person, setPerson] = useState("");
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [found, setFound] = useState<readonly Study[] | null>(null);
  const search = useDeed(async () => {
    const query = { PatientID: patient, PatientName: person, StudyDate: dateRange(from, to) };
    setFound((await post(`archives/${archive.id}/search/`, query)).results);
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void search.run();
  };
  return (
    <Panel title="Search">
      <form className="form-row" onSubmit={submit}>
        <TextField label="Patient ID" value={patient} onChange={setPatient} autoComplete="off" />
        <TextField label="Patient name" value={person} onChange={setPerson} autoComplete="off" />
        <TextField label="From" type="date" value={from} onChange={setFrom} />
        <TextField label="To" type="date" value={to} onChange={setTo} />
        <Action submit kind="primary" busy={search.busy}>
          Search
        </Action>
      </form>
      <p className="hint">Mammography alone, at most a hundred exams. * stands for any letters.</p>
      <Problem error={search.error} />
      {found && <Found key={found.map((s) => s.study_uid).join()} archive={archive} studies={found} />}
    </Panel>
  );
}

function Found({ archive, studies }: { archive: Archive; studies: readonly Study[] }) {
  const { project, role } = useHere();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const pull = useDeed(async () => {
    const { job } = await post(`archives/${archive.id}/pull/`, {
      project: project.id,
      studies: [...chosen],
    });
    navigate(`/jobs/${job.id}`);
  });
  const turn = (uid: string) => {
    const next = new Set(chosen);
    if (!next.delete(uid)) next.add(uid);
    setChosen(next);
  };
  const columns: readonly Column<Study>[] = [
    {
      key: "take",
      label: "Pull",
      bare: true,
      value: () => null,
      cell: (row) => (
        <input
          type="checkbox"
          aria-label={`Pull the exam of ${dicomDay(row.date)}, ${row.patient_id}`}
          checked={chosen.has(row.study_uid)}
          onChange={() => turn(row.study_uid)}
        />
      ),
    },
    { key: "date", label: "Date", value: (row) => dicomDay(row.date) },
    { key: "patient", label: "Patient ID", value: (row) => row.patient_id },
    { key: "name", label: "Name", value: (row) => personName(row.patient_name) },
    { key: "what", label: "Description", value: (row) => row.description },
    { key: "kind", label: "Modalities", value: (row) => row.modalities.join(", ") },
    {
      key: "images",
      label: "Images",
      number: true,
      value: (row) => row.instances,
      cell: (row) => count(row.instances),
    },
  ];
  const refused =
    role !== "admin" ? `You do not administer ${project.name}.` : chosen.size ? null : "Choose exams first.";
  return (
    <>
      <Table
        name="Exams in the archive"
        rows={studies}
        columns={columns}
        rowKey={(row) => row.study_uid}
        empty={<p className="quiet">The archive has no mammography exam that fits.</p>}
      />
      {studies.length > 0 && (
        <div className="form-row">
          <Action onClick={() => setChosen(new Set(studies.map((s) => s.study_uid)))}>Choose all</Action>
          <Action kind="primary" busy={pull.busy} refused={refused} onClick={() => void pull.run()}>
            Pull {chosen.size ? counted(chosen.size, "exam") : ""} into {project.name}
          </Action>
        </div>
      )}
      <p className="hint">Names, ids and dates are taken out before anything is stored.</p>
      <Problem error={pull.error} />
    </>
  );
}
