import { describe, expect, test } from "vitest";
import { levelsOf } from "./levels";
import { type Piece, Shelf } from "./shelf";

const image = (rows: number, cols: number, factor: number) => ({
  rows,
  cols,
  frame_url: "/frame",
  display: { url: "/display", rows: Math.ceil(rows / factor), cols: Math.ceil(cols / factor), factor },
});
const urls = (rows: number, cols: number, factor: number, longest = 8192) =>
  levelsOf(image(rows, cols, factor), longest).levels.map((level) => level.url);

describe("the levels of an image", () => {
  test("the small one is painted before the full one", () => {
    expect(urls(4084, 3328, 3)).toEqual(["/display", "/frame"]);
  });

  test("an image that is small already has one", () => {
    expect(urls(1024, 800, 1)).toEqual(["/frame"]);
  });

  // trap 14
  test("more than the graphics can hold stays at its small level, and says so", () => {
    expect(levelsOf(image(9000, 2000, 6), 8192)).toMatchObject({
      levels: [{ url: "/display", factor: 6 }],
      isReduced: true,
    });
    expect(levelsOf(image(2000, 8192, 6), 8192).isReduced).toBe(false);
  });
});

describe("pixels in memory", () => {
  const exam = (name: string, bytes = 100): Piece[] =>
    [1, 2, 3, 4].map((n) => ({ address: `${name}${n}`, bytes }));

  test("another exam lets go of all but its own", () => {
    const shelf = new Shelf(1000);
    shelf.open(exam("a"));
    shelf.reach(exam("b"));
    expect(shelf.open(exam("b"))).toEqual(["a1", "a2", "a3", "a4"]);
    expect(shelf.open(exam("c"))).toEqual(["b1", "b2", "b3", "b4"]);
  });

  test("what was fetched ahead for nothing goes, too", () => {
    const shelf = new Shelf(1000);
    shelf.open(exam("a"));
    shelf.reach(exam("b"));
    expect(shelf.open(exam("c"))).toHaveLength(8);
    expect(shelf.bytes).toBe(400);
  });

  test("of the next exam no more is fetched than the budget holds, and the same never twice", () => {
    const shelf = new Shelf(650);
    shelf.open(exam("a"));
    expect(shelf.reach(exam("b"))).toEqual(["b1", "b2"]);
    expect(shelf.reach(exam("b"))).toEqual([]);
    expect(shelf.bytes).toBeLessThanOrEqual(650);
  });

  // trap 16
  test("two hundred exams take no more than one and the next", () => {
    const shelf = new Shelf(10_000);
    for (let n = 0; n < 200; n++) {
      shelf.open(exam(`exam ${n} image `));
      shelf.reach(exam(`exam ${n + 1} image `));
      expect(shelf.bytes).toBe(800);
    }
  });
});
