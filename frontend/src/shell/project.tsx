import { createContext, type ReactNode, useContext, useEffect } from "react";
import { useSession } from "../api/session";
import type { Me, ProjectRef, Role } from "../api/types";
import { Link } from "../router";
import { useAddress } from "../ui/address";

export interface Here {
  readonly me: Me;
  readonly project: ProjectRef;
  readonly role: Role;
}

const KEPT = "mammoloop.project";
const Context = createContext<Here | null>(null);

/** The project that an address names, else the one that was open last, else the first. */
export function currentMembership(
  me: Me,
  named: string | null,
  kept: string | null,
): Me["memberships"][number] | null {
  const bySlug = (slug: string | null) =>
    me.memberships.find((m) => slug !== null && m.project.slug === slug);
  return bySlug(named) ?? bySlug(kept) ?? me.memberships[0] ?? null;
}

/** Whether the address names a project that this account is no member of. */
export function namesStranger(me: Me, named: string | null): boolean {
  return named !== null && !me.memberships.some((m) => m.project.slug === named);
}

/** Gives the pages below it the current project, and writes it into the address, so that a link opens the same. */
export function ProjectProvider({ me, children, none }: { me: Me; children: ReactNode; none: ReactNode }) {
  const { query, change } = useAddress();
  const named = query.get("project");
  const found = currentMembership(me, named, localStorage.getItem(KEPT));
  const slug = found?.project.slug ?? null;
  useEffect(() => {
    if (slug) localStorage.setItem(KEPT, slug);
    if (slug && named === null) change({ project: slug });
  }, [slug, named, change]);
  if (!found) return <>{none}</>;
  if (namesStranger(me, named)) return <Stranger me={me} slug={named ?? ""} />;
  return <Context value={{ me, project: found.project, role: found.role }}>{children}</Context>;
}

function Stranger({ me, slug }: { me: Me; slug: string }) {
  return (
    <main className="page">
      <h1>This belongs to a project that you are not a member of</h1>
      <p>
        The address names the project <code>{slug}</code>, and you are signed in as {me.username}. Ask an
        administrator of that project for a role in it, or open one of yours:
      </p>
      <ul>
        {me.memberships.map(({ project, role }) => (
          <li key={project.id}>
            <Link href={`/?project=${encodeURIComponent(project.slug)}`}>{project.name}</Link>, as {role}
          </li>
        ))}
      </ul>
    </main>
  );
}

/** Who is here, in which project, as what. */
export function useHere(): Here {
  const here = useContext(Context);
  if (!here) throw new Error("useHere needs a page inside the shell");
  return here;
}

/** For pages of one thing: if the thing is another project's, go over to that project. */
export function useBelongsTo(projectId: string | undefined): void {
  const me = useSession();
  const { project } = useHere();
  const { change } = useAddress();
  const other =
    projectId && projectId !== project.id ? me?.memberships.find((m) => m.project.id === projectId) : null;
  const slug = other?.project.slug;
  useEffect(() => {
    if (slug) change({ project: slug });
  }, [slug, change]);
}
