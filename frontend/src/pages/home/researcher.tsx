import { useHere } from "../../shell/project";
import { PageHead } from "../../ui/panel";
import { ExportTable } from "../snapshots/exports";
import { SnapshotTable } from "../snapshots/table";

/** What can be taken home: snapshots, with their size and date. */
export function ResearcherHome() {
  const { project } = useHere();
  return (
    <main className="page">
      <PageHead title={project.name} about="Frozen labels, to cite and to download" />
      <SnapshotTable />
      <h2 className="section">Files to take home</h2>
      <ExportTable />
    </main>
  );
}
