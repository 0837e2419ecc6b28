import { expect, test } from "vitest";
import { type Affine, pictureTransform, viewTransform } from "./heat";
import { imagePoint } from "./points";
import { toDisplay, type View } from "./view";

const numbers = (transform: string) => transform.slice(7, -1).split(" ").map(Number);
const applied = (transform: string, [x, y]: readonly [number, number]) => {
  const [a, b, c, d, e, f] = numbers(transform) as [number, number, number, number, number, number];
  return [a * x + c * y + e, b * x + d * y + f];
};

/** A right breast of 300 x 200 px, mirrored and made four times smaller. */
const turned: Affine = [
  [-0.25, 0, 75],
  [0, 0.25, -3],
  [0, 0, 1],
];

test("a picture's corner goes back to the stored pixel that it was made of", () => {
  const [x, y] = applied(pictureTransform(turned), [75, -3]);
  expect(x).toBeCloseTo(0);
  expect(y).toBeCloseTo(0);
  expect(applied(pictureTransform(turned), [0, 47])).toEqual([300, 200]);
});

test("in a pane it lies where the view shows those pixels", () => {
  const view: View = {
    centre: imagePoint(120, 90),
    scale: 1.5,
    mirror: { x: true, y: false },
    pane: { width: 400, height: 500 },
  };
  for (const at of [imagePoint(10, 20), imagePoint(290, 150)]) {
    const inPicture = [-0.25 * at[0] + 75, 0.25 * at[1] - 3] as const;
    const [x, y] = applied(viewTransform(turned, view), inPicture);
    expect(x).toBeCloseTo(toDisplay(at, view)[0]);
    expect(y).toBeCloseTo(toDisplay(at, view)[1]);
  }
});
