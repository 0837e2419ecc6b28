import { describe, expect, test } from "vitest";
import { ApiError } from "../api/errors";
import { emptyDocument } from "./document";
import { addFinding, newFinding, setBirads, setComment, setDensity, setNormal } from "./edits";
import { newId } from "./ids";
import { MemoryOutbox } from "./outbox";
import { saveLabel } from "./save-state";
import { ReadingSession } from "./session";
import { ServerInMemory, until } from "./testing";

const refusal = (status: number, code: string) => new ApiError(code, status, null, "r-1", "No.");

async function opened(server = new ServerInMemory(), store = new MemoryOutbox()) {
  const session = await ReadingSession.open("reading-1", await server.load(), server, store);
  return {
    server,
    store,
    session,
    save: () => session.state().save,
    saved: () => session.state().save.kind === "saved",
  };
}

describe("saving", () => {
  test("an edit is shown at once and saved when the server has answered with its revision", async () => {
    const { session, server, saved } = await opened();
    session.edit(setDensity(session.document, "R", "c"));
    expect(session.document.breasts.R.density).toBe("c");
    expect(saveLabel(session.state().save)).toBe("saving");
    await until(saved);
    expect(saveLabel(session.state().save)).toBe("saved · revision 1");
    expect(server.document.breasts.R.density).toBe("c");
  });

  test("edits go one after the other, each on the revision that the one before made", async () => {
    const { session, server, saved } = await opened();
    for (const density of ["a", "b", "c", "d"] as const)
      session.edit(setDensity(session.document, "L", density));
    await until(saved);
    expect(server.revision).toBe(4);
    expect(server.document.breasts.L.density).toBe("d");
  });

  // trap 19, 20
  test("without the network changes wait here, and are sent when it is back", async () => {
    const { session, server, store, save, saved } = await opened();
    server.trouble = ["offline"];
    session.edit(setDensity(session.document, "R", "b"));
    await until(() => save().kind === "waiting");
    expect(saveLabel(save())).toBe("waiting for the network: 1 change kept here");
    expect(await store.load("reading-1")).toHaveLength(1);
    session.retry();
    await until(saved);
    expect(server.document.breasts.R.density).toBe("b");
    expect(await store.load("reading-1")).toHaveLength(0);
  });

  // trap 21, 22
  test("an answer that got lost does not do the edit twice", async () => {
    const { session, server, save, saved } = await opened();
    server.trouble = ["lost answer"];
    session.edit(addFinding(newId(), newFinding(session.document, "mass", "R")));
    await until(() => save().kind === "waiting");
    session.retry();
    await until(saved);
    expect(server.revision).toBe(1);
    expect(Object.keys(server.document.findings)).toHaveLength(1);
  });

  // trap 19, 20
  test("a page that was closed with unsent changes sends them when it opens again", async () => {
    const first = await opened();
    first.server.trouble = ["offline"];
    first.session.edit(setComment(first.session.document, "look again"));
    await until(() => first.save().kind === "waiting");
    first.session.close();
    const again = await opened(first.server, first.store);
    expect(again.session.document.comment).toBe("look again");
    await until(again.saved);
    expect(first.server.document.comment).toBe("look again");
  });

  test("kept changes that the server has already got are not a conflict, and its newer version is taken over", async () => {
    const first = await opened();
    first.server.trouble = ["lost answer"];
    first.session.edit(setComment(first.session.document, "one"));
    await until(() => first.save().kind === "waiting");
    first.session.close();
    await first.server.apply(setComment(first.server.document, "two"));
    const again = await opened(first.server, first.store);
    await until(() => again.session.revision === 2 && again.saved());
    expect(again.session.document.comment).toBe("two");
  });

  // trap 20
  test("signed out: changes wait for the person to sign in", async () => {
    const { session, server, save, saved } = await opened();
    server.trouble = [refusal(401, "core.unauthenticated")];
    session.edit(setDensity(session.document, "R", "a"));
    await until(() => save().kind === "signed_out");
    session.edit(setDensity(session.document, "L", "a"));
    expect(save()).toMatchObject({ kind: "signed_out", changes: 2 });
    session.retry();
    await until(saved);
    expect(server.revision).toBe(2);
  });

  // trap 19
  test("a lost lease stops sending and keeps the work", async () => {
    const { session, server, store, save } = await opened();
    server.trouble = [refusal(409, "annotations.lease_lost")];
    session.edit(setDensity(session.document, "R", "a"));
    await until(() => save().kind === "lost");
    expect(await store.load("reading-1")).toHaveLength(1);
    expect(await session.flushed()).toBeNull();
  });

  // trap 19
  test("what the server refuses can be given up, and is set aside", async () => {
    const { session, server, save, saved } = await opened();
    server.trouble = [refusal(422, "annotations.outside_image")];
    session.edit(setComment(session.document, "refused"));
    session.edit(setDensity(session.document, "L", "b"));
    await until(() => save().kind === "refused");
    await session.dropRefused();
    await until(saved);
    expect(server.document).toMatchObject({ comment: "", breasts: { L: { density: "b" } } });
    expect(session.state().hasAside).toBe(true);
    await session.restoreAside();
    await until(saved);
    expect(server.document.comment).toBe("refused");
  });
});

describe("two windows", () => {
  // trap 22
  test("changes in different places are brought together without a question", async () => {
    const { session, server, saved } = await opened();
    await server.apply(setDensity(server.document, "L", "c"));
    session.edit(setDensity(session.document, "R", "b"));
    await until(() => saved() && server.revision === 2);
    expect(server.document.breasts).toMatchObject({ R: { density: "b" }, L: { density: "c" } });
    expect(session.document).toEqual(server.document);
    expect(session.state().changedElsewhere).toBe(true);
  });

  // trap 22
  test("changes in one place are the person's to choose: mine", async () => {
    const { session, server, save, saved } = await opened();
    await server.apply(setDensity(server.document, "R", "c"));
    session.edit(setDensity(session.document, "R", "b"));
    await until(() => save().kind === "conflict");
    expect(session.document.breasts.R.density).toBe("b");
    await session.choose("mine");
    await until(saved);
    expect(server.document.breasts.R.density).toBe("b");
  });

  // trap 22
  test("and theirs: mine is set aside and can come back", async () => {
    const { session, server, save, saved } = await opened();
    await server.apply(setDensity(server.document, "R", "c"));
    session.edit(setDensity(session.document, "R", "b"));
    await until(() => save().kind === "conflict");
    await session.choose("theirs");
    await until(saved);
    expect(session.document.breasts.R.density).toBe("c");
    await session.restoreAside();
    await until(() => saved() && server.document.breasts.R.density === "b");
    session.undo();
    await until(() => saved() && server.document.breasts.R.density === "c");
  });

  test("a newer version is taken over when nothing of ours is on its way", async () => {
    const { session, server } = await opened();
    await server.apply(setDensity(server.document, "R", "d"));
    session.adopt(await server.load());
    expect(session.document.breasts.R.density).toBe("d");
    expect(session.state().changedElsewhere).toBe(true);
  });

  // trap 21
  test("a server that stored something else than is shown is not called saved", async () => {
    const { session, server, save } = await opened();
    const apply = server.apply.bind(server);
    server.apply = async (patch) => {
      const answer = await apply(patch);
      server.document = { ...server.document, comment: "something else" };
      return { ...answer, receipt: { ...answer.receipt, sha256: "0" } };
    };
    session.edit(setDensity(session.document, "R", "d"));
    await until(() => save().kind === "conflict");
  });
});

describe("undo", () => {
  test("is an edit that the server sees", async () => {
    const { session, server, saved } = await opened();
    session.edit(setDensity(session.document, "R", "b"));
    session.edit(setBirads(session.document, "R", "4A"));
    session.undo();
    expect(session.document.breasts.R).toEqual({ density: "b", birads: null });
    session.undo();
    session.redo();
    await until(saved);
    expect(server.revision).toBe(5);
    expect(server.document.breasts.R).toEqual({ density: "b", birads: null });
  });

  test("a new edit ends what could be done again", async () => {
    const { session } = await opened();
    session.edit(setDensity(session.document, "R", "b"));
    session.undo();
    session.edit(setDensity(session.document, "R", "c"));
    expect(session.state().canRedo).toBe(false);
  });

  test("a finding that was taken away comes back with its id", async () => {
    const { session, server, saved } = await opened();
    const id = newId();
    session.edit(addFinding(id, newFinding(session.document, "mass", "R")));
    session.edit([{ op: "remove", path: `/findings/${id}` }]);
    session.undo();
    await until(saved);
    expect(server.document.findings[id]?.type).toBe("mass");
  });

  test("an edit that changes nothing is none", async () => {
    const { session } = await opened();
    session.edit(setDensity(session.document, "R", null));
    expect(session.state().canUndo).toBe(false);
  });
});

test("normal, both breasts, says BI-RADS 1 only where nothing was said", () => {
  const said = {
    ...emptyDocument(),
    breasts: { R: { density: null, birads: "2" as const }, L: emptyDocument().breasts.L },
  };
  expect(setNormal(said)).toEqual([{ op: "replace", path: "/breasts/L/birads", value: "1" }]);
});
