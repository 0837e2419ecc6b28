/** Which pages a role may open, in the order of the loop. Pure. */

import type { Role } from "../api/types";

export interface Place {
  readonly href: string;
  readonly name: string;
  readonly roles: readonly Role[];
}

const ALL: readonly Role[] = ["admin", "reader", "adjudicator", "researcher"];
const STUDY: readonly Role[] = ["admin", "researcher"];
const ADMIN: readonly Role[] = ["admin"];

const BAR: readonly Place[] = [
  { href: "/", name: "Home", roles: ALL },
  { href: "/worklist", name: "Worklist", roles: ["admin", "reader", "adjudicator"] },
  { href: "/exams", name: "Exams", roles: ALL },
  { href: "/import", name: "Import", roles: ADMIN },
  { href: "/snapshots", name: "Snapshots", roles: STUDY },
  { href: "/runs", name: "Runs", roles: STUDY },
  { href: "/models", name: "Models", roles: STUDY },
  { href: "/rounds", name: "Rounds", roles: ADMIN },
];

/** Pages that no bar shows to everybody and whose address may be known all the same. */
const BESIDE: readonly Place[] = [
  { href: "/read", name: "Reading", roles: ["reader", "adjudicator"] },
  { href: "/settings", name: "Project settings", roles: ADMIN },
  { href: "/audit", name: "Audit", roles: ADMIN },
];

/** The place of an address whose page is not for a role; null where the role may open it. */
export function closedTo(path: string, role: Role): Place | null {
  const place = [...BAR, ...BESIDE].find((one) => one.href === path);
  return place && !place.roles.includes(role) ? place : null;
}

/** The pages of the bar for a role. */
export function placesFor(role: Role | null): readonly Place[] {
  return role ? BAR.filter((place) => place.roles.includes(role)) : [];
}

/** The pages behind a person's name: rarer ones. */
export function placesOfPerson(
  role: Role | null,
  siteAdmin: boolean,
): readonly { href: string; name: string }[] {
  return [
    { href: "/jobs", name: "Jobs" },
    ...(role === "admin" ? [{ href: "/settings", name: "Project settings" }] : []),
    { href: "/people", name: role === "admin" || siteAdmin ? "People and tokens" : "My account and tokens" },
    ...(siteAdmin ? [{ href: "/archives", name: "Archives" }] : []),
    ...(role === "admin" ? [{ href: "/audit", name: "Audit" }] : []),
  ];
}

/** Whether a page lies in a place: `/runs/7` lies in Runs. */
export function liesIn(path: string, href: string): boolean {
  return href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);
}
