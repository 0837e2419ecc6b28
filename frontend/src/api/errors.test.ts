import { describe, expect, test } from "vitest";
import { errorOf } from "./errors";
import { apiAddress } from "./fetch";

describe("errors of the server", () => {
  test("a problem document becomes its code, sentence, cure and request id", async () => {
    const body = {
      title: "Somebody else changed this reading.",
      detail: "Revision 4 is newer than yours.",
      code: "annotations.stale",
      cure: "Choose one.",
      errors: { theirs: { revision: 4 } },
      request_id: "r-1",
    };
    const error = await errorOf(new Response(JSON.stringify(body), { status: 412 }));
    expect(error).toMatchObject({
      code: "annotations.stale",
      status: 412,
      requestId: "r-1",
      cure: "Choose one.",
    });
    expect(error.message).toBe("Revision 4 is newer than yours.");
    expect(error.detail).toEqual({ theirs: { revision: 4 } });
  });

  test("an answer of something between us and the server keeps its status", async () => {
    const error = await errorOf(new Response("<h1>Bad gateway</h1>", { status: 502 }));
    expect(error).toMatchObject({ code: "http", status: 502 });
  });

  test("401 means that nobody is signed in", async () => {
    expect((await errorOf(new Response("{}", { status: 401 }))).isSignedOut).toBe(true);
  });
});

describe("addresses of the API", () => {
  test("empty values are left out, links to the next page are kept", () => {
    expect(apiAddress("exams/", { project: "p", split: "", page_size: null })).toBe(
      "/api/v1/exams/?project=p",
    );
  });
});
