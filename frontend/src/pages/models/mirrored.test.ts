import { expect, test } from "vitest";
import { asHung, boxAsHung } from "./mirrored";

const size = { cols: 100, rows: 200 };

test.each([
  [{ x: false, y: false }, [10, 20, 30, 60]],
  [{ x: true, y: false }, [70, 20, 90, 60]],
  [{ x: false, y: true }, [10, 140, 30, 180]],
  [{ x: true, y: true }, [70, 140, 90, 180]],
])("a proposal hangs with its picture, %o", (mirror, expected) => {
  const box = boxAsHung([10, 20, 30, 60], mirror, size);
  expect(box).toEqual(expected);
  const [a, , , d, e, f] = (asHung(mirror, size).match(/-?\d+/g) ?? []).map(Number) as number[];
  const corner = [a as number, d as number].map((sign, n) => sign * ([10, 20][n] as number));
  const [x, y] = [(corner[0] as number) + (e as number), (corner[1] as number) + (f as number)];
  expect([box[0], box[2]]).toContain(x); // the same corner by the transform of the marks
  expect([box[1], box[3]]).toContain(y);
});
