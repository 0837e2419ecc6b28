import type { Route } from "../router";

/** Every page but the reading room. The first path that matches wins. */
export const routes: readonly Route[] = [
  { path: "/", load: () => import("./home/page") },
  { path: "/read", load: () => import("./start/page") },
  { path: "/worklist", load: () => import("./worklist/page") },
  { path: "/exams", load: () => import("./exams/page") },
  { path: "/exams/:id", load: () => import("./exams/detail") },
  { path: "/import", load: () => import("./imports/page") },
  { path: "/import/:id", load: () => import("./imports/detail") },
  { path: "/archives", load: () => import("./archives/page") },
  { path: "/archives/:id", load: () => import("./archives/detail") },
  { path: "/snapshots", load: () => import("./snapshots/page") },
  { path: "/snapshots/:name", load: () => import("./snapshots/detail") },
  { path: "/runs", load: () => import("./runs/page") },
  { path: "/runs/:id", load: () => import("./runs/detail") },
  { path: "/methods", load: () => import("./methods/page") },
  { path: "/models", load: () => import("./models/page") },
  { path: "/models/:id", load: () => import("./models/detail") },
  { path: "/models/:id/compare/:other", load: () => import("./models/compare") },
  { path: "/rounds", load: () => import("./rounds/page") },
  { path: "/rounds/:id", load: () => import("./rounds/detail") },
  { path: "/jobs", load: () => import("./jobs/page") },
  { path: "/jobs/:id", load: () => import("./jobs/detail") },
  { path: "/people", load: () => import("./people/page") },
  { path: "/settings", load: () => import("./settings/page") },
  { path: "/audit", load: () => import("./audit/page") },
];
