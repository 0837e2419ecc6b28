import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Empty, PageHead } from "../../ui/panel";
import { DeleteDemo } from "./delete-demo";
import { NewProject } from "./new-project";
import { Rules } from "./rules";

/** What a project is called, how it ranks, and how the demo goes away. */
export default function SettingsPage() {
  const { me, project, role } = useHere();
  const { data, error, reload } = useAnswer(`projects/${project.id}/`);
  return (
    <main className="page">
      <PageHead title="Project settings" about={project.name} />
      {role !== "admin" && <Empty title="Only an administrator of this project changes its settings." />}
      <Problem error={error} onRetry={reload} />
      {role === "admin" && data && (
        <>
          <Rules key={data.id} project={data} onChanged={reload} />
          <DeleteDemo project={data} />
        </>
      )}
      {me.is_site_admin && <NewProject />}
    </main>
  );
}
