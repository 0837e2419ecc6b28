import { describe, expect, test } from "vitest";
import { findRoute, matchPath, type Route } from "./router";

const page = (path: string): Route => ({
  path,
  load: () => Promise.reject(new Error("not loaded in this test")),
});

describe("addresses", () => {
  test("a pattern gives the values of its parts", () => {
    expect(matchPath("/runs/:id", "/runs/7")).toEqual({ id: "7" });
  });

  test("a slash at the end changes nothing", () => {
    expect(matchPath("/snapshots/:name", "/snapshots/v4/")).toEqual({ name: "v4" });
  });

  test("a longer path is another page", () => {
    expect(matchPath("/runs/:id", "/runs/7/folder")).toBeNull();
  });

  test("the root is a page of its own", () => {
    expect(matchPath("/", "/")).toEqual({});
    expect(matchPath("/", "/runs")).toBeNull();
  });

  test("the first route that matches wins", () => {
    const routes = [page("/exams/new"), page("/exams/:id")];
    expect(findRoute(routes, "/exams/new")?.route.path).toBe("/exams/new");
    expect(findRoute(routes, "/exams/3")?.params).toEqual({ id: "3" });
    expect(findRoute(routes, "/nowhere")).toBeNull();
  });
});
