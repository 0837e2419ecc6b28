import { signOut } from "../api/session";
import type { Me } from "../api/types";
import { Link, navigate, usePath } from "../router";
import { useDeed } from "./data";
import { Menu } from "./menu";
import { liesIn, placesFor, placesOfPerson } from "./places";
import { useHere } from "./project";
import { RunningRing } from "./running";

/** The one thin bar: project, pages, what runs, who. */
export function Bar() {
  const { me, project, role } = useHere();
  const path = usePath();
  return (
    <header className="bar">
      <Link href="/" className="bar-name">
        MammoLoop
      </Link>
      <ProjectSwitcher me={me} slug={project.slug} />
      <nav aria-label="Pages" className="bar-pages">
        {placesFor(role).map((place) => (
          <Link
            key={place.href}
            href={place.href}
            aria-current={liesIn(path, place.href) ? "page" : undefined}
          >
            {place.name}
          </Link>
        ))}
      </nav>
      <RunningRing />
      <Person me={me} role={role} />
    </header>
  );
}

function ProjectSwitcher({ me, slug }: { me: Me; slug: string }) {
  return (
    <label className="bar-project">
      <span className="visually-hidden">Project</span>
      <select
        value={slug}
        onChange={(event) => navigate(`/?project=${encodeURIComponent(event.target.value)}`)}
      >
        {me.memberships.map(({ project }) => (
          <option key={project.id} value={project.slug}>
            {project.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Person({ me, role }: { me: Me; role: Parameters<typeof placesOfPerson>[0] }) {
  return (
    <Menu label={me.username}>
      <p className="menu-note">{role ? `${role} in this project` : "no role in a project"}</p>
      {placesOfPerson(role, me.is_site_admin).map((place) => (
        <Link key={place.href} href={place.href}>
          {place.name}
        </Link>
      ))}
      <a href="/api/v1/docs/">API</a>
      <SignOut />
    </Menu>
  );
}

/** Sign out; in the menu of the bar and where an account has no project. */
export function SignOut() {
  const leave = useDeed(signOut);
  return (
    <button type="button" className="sign-out" onClick={() => void leave.run()}>
      {leave.error ? `Could not sign out: ${leave.error.message}` : "Sign out"}
    </button>
  );
}
