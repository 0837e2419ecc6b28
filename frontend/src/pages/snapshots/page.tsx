import { useHere } from "../../shell/project";
import { PageHead } from "../../ui/panel";
import { ExportTable } from "./exports";
import { Freeze } from "./freeze";
import { SnapshotTable } from "./table";

/** What is frozen, what a freeze now would hold, and the files made of it. */
export default function SnapshotsPage() {
  const { role } = useHere();
  return (
    <main className="page">
      <PageHead title="Snapshots" about="frozen, hashed lists of labels; runs and exports are made of them" />
      {role === "admin" && <Freeze />}
      <SnapshotTable />
      <h2 className="section">Exports</h2>
      <ExportTable />
    </main>
  );
}
