import { describe, expect, test } from "vitest";
import { canonicalJson, hashOf } from "./canonical";
import { emptyDocument, marksIn, type ReadingDocument } from "./document";
import { addFinding, addMark, newFinding, replaceAll, setFinding, setShape } from "./edits";
import { applyPatch, differences, inverseOf, overlaps, PatchError, pointer } from "./patch";

const withMass = (): ReadingDocument => {
  const empty = emptyDocument();
  const found = applyPatch(empty, addFinding("f", newFinding(empty, "mass", "R")));
  return applyPatch(found, addMark("f", "m", "image-1", { kind: "circle", geometry: [10.25, 20.5, 3] }));
};

describe("patches", () => {
  test("change a copy", () => {
    const before = emptyDocument();
    const after = applyPatch(before, [{ op: "replace", path: "/comment", value: "x" }]);
    expect([before.comment, after.comment]).toEqual(["", "x"]);
    expect(after.breasts).toBe(before.breasts);
  });

  test("that lead to nothing are refused whole", () => {
    expect(() => applyPatch(emptyDocument(), [{ op: "remove", path: "/findings/none" }])).toThrow(PatchError);
    expect(() => applyPatch(emptyDocument(), [{ op: "test", path: "/comment", value: "x" }])).toThrow(
      PatchError,
    );
  });

  test("keep slashes and tildes of names", () => {
    expect(applyPatch({ "a/b~c": 1 }, [{ op: "remove", path: pointer("a/b~c") }])).toEqual({});
  });

  test("have an inverse that gives back the document", () => {
    const before = withMass();
    const patch = [
      ...setFinding(before, "f", "birads", "4B"),
      ...setFinding(before, "f", "subtype", "spiculated"),
      ...setShape(before, "f", "m", { kind: "circle", geometry: [1, 2, 3] }),
      { op: "remove" as const, path: "/findings/f/marks/m" },
    ];
    expect(applyPatch(applyPatch(before, patch), inverseOf(before, patch))).toEqual(before);
  });

  test("of a whole version lead from one to the other", () => {
    expect(applyPatch(emptyDocument(), replaceAll(emptyDocument(), withMass()))).toEqual(withMass());
  });
});

test("the places where two documents differ", () => {
  expect(differences(emptyDocument(), withMass())).toEqual(["/findings/f"]);
  expect(overlaps("/findings/f", "/findings/f/birads")).toBe(true);
  expect(overlaps("/findings/f", "/findings/ff")).toBe(false);
});

test("a mark of a model that is moved is called edited", () => {
  const document = applyPatch(withMass(), [
    { op: "replace", path: "/findings/f/marks/m/provenance", value: "model_accepted" },
  ]);
  const moved = applyPatch(document, setShape(document, "f", "m", { kind: "circle", geometry: [0, 0, 3] }));
  expect(moved.findings.f?.marks.m?.provenance).toBe("model_edited");
});

test("marks are found by their image, with their finding's number", () => {
  expect(marksIn(withMass(), "image-1")).toMatchObject([{ id: "m", findingId: "f", number: 1 }]);
  expect(marksIn(withMass(), "image-2")).toEqual([]);
});

describe("the canonical form", () => {
  test("sorts keys and writes numbers as RFC 8785 does", () => {
    expect(canonicalJson({ b: [1.0, 1e21, 1e-7, -0], a: "ü\n" })).toBe('{"a":"ü\\n","b":[1,1e+21,1e-7,0]}');
  });

  test("of an empty document has the hash that the server computes", async () => {
    expect(await hashOf(emptyDocument())).toBe(
      "bed8bf5df4d1af00eba3c972e135507b0f0c54f8bfb0eab0af3c6bf8d6f6110f",
    );
  });
});
