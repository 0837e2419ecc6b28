import { expect, it } from "vitest";
import type { Me } from "../api/types";
import { currentMembership, namesStranger } from "./project";

const project = (slug: string) => ({ id: slug, name: slug, slug, kind: "study" as const });
const me: Me = {
  id: "1",
  username: "admin",
  is_site_admin: false,
  memberships: [
    { project: project("demo"), role: "admin" },
    { project: project("mias"), role: "reader" },
  ],
};

it("opens the project that the address names, before the one that was open last", () => {
  expect(currentMembership(me, "mias", "demo")?.role).toBe("reader");
  expect(currentMembership(me, null, "mias")?.role).toBe("reader");
  expect(currentMembership(me, null, "gone")?.role).toBe("admin");
  expect(currentMembership({ ...me, memberships: [] }, null, null)).toBeNull();
});

it("notices an address of a project that the account is no member of", () => {
  expect(namesStranger(me, "secret")).toBe(true);
  expect(namesStranger(me, "mias")).toBe(false);
  expect(namesStranger(me, null)).toBe(false);
});
