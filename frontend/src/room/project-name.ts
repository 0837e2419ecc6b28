import type { Session } from "../api/session";

/** The project's name as the reader knows it from their memberships. */
export const projectName = (me: Session, project: string): string =>
  me?.memberships.find((membership) => membership.project.id === project)?.project.name ?? "";
