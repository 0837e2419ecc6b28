import { type ReactNode, useEffect } from "react";
import { loadSession, useSession } from "../api/session";
import type { Me } from "../api/types";
import { NewProject } from "../pages/settings/new-project";
import { usePath } from "../router";
import { PageHead } from "../ui/panel";
import { Bar, SignOut } from "./bar";
import { useDeed } from "./data";
import { closedTo } from "./places";
import { Problem } from "./problem";
import { ProjectProvider, useHere } from "./project";
import { RunningJobs } from "./running";
import { ResearchOnly, SignIn } from "./sign-in";
import "./shell.css";
import "../ui/pages.css";

/** What stands round every page but the reading room: who is signed in, the bar, the note at the foot. */
export function Shell({ children }: { children: ReactNode }) {
  const me = useSession();
  const ask = useDeed(loadSession);
  const { run } = ask;
  useEffect(() => {
    if (me === undefined) void run();
  }, [me, run]);
  if (me === null) return <SignIn />;
  if (me === undefined) {
    return ask.error ? (
      <main className="page">
        <Problem error={ask.error} onRetry={() => void ask.run()} />
      </main>
    ) : (
      <p className="app-loading">Opening…</p>
    );
  }
  return (
    <ProjectProvider me={me} none={<NoProject me={me} />}>
      <RunningJobs>
        <div className="shell">
          <a className="skip" href="#page">
            To the page
          </a>
          <Bar />
          <div id="page" className="shell-page">
            <ForMyRole>{children}</ForMyRole>
          </div>
          <ResearchOnly />
        </div>
      </RunningJobs>
    </ProjectProvider>
  );
}

/** A page that is not for one's role says so in a sentence, and asks the server nothing. */
function ForMyRole({ children }: { children: ReactNode }) {
  const { me, project, role } = useHere();
  const place = closedTo(usePath(), role);
  if (!place || me.is_site_admin) return children;
  return (
    <main className="page">
      <PageHead title={place.name} />
      <p>
        This page is for {place.roles.map((one) => `${one}s`).join(" and ")}, and your role in {project.name}{" "}
        is {role}. An administrator of the project can change that.
      </p>
    </main>
  );
}

function NoProject({ me }: { me: Me }) {
  return (
    <main className="page">
      <PageHead title="No project yet" about={`signed in as ${me.username}`}>
        <SignOut />
      </PageHead>
      {me.is_site_admin ? (
        <>
          <p>Exams are read, frozen and learned from inside a project. Make the first one.</p>
          <NewProject />
        </>
      ) : (
        <p>No project has given you a role. Ask an administrator of a project to add you.</p>
      )}
    </main>
  );
}
