import { Enums, type RenderingEngine, type StackViewport, type Types } from "@cornerstonejs/core";
import type { WindowChoice } from "../api/types";
import type { Bounds, ImageSize } from "../geometry/points";
import type { View } from "../geometry/view";
import { contentBox, valueRange } from "./content";
import { greyOf, isInverted, openingShading, rangeOf, type Shading } from "./voi";

/** What is to be shown: where the library finds it, and how its values become grey. */
export type Picture = {
  address: string;
  size: ImageSize;
  photometric: string;
  windows: readonly WindowChoice[];
  voiFunction: string;
};

/** What is known of a picture once its pixels are here. */
export type PictureFacts = { breast: Bounds; opening: Shading };

/** Brighter than the darkest by less than this share of white counts as the black beside the breast. */
const BLACK = 0.06;
const CAMERA_DISTANCE = 100;

let count = 0;

/** One place that shows one image. What it shows is set from outside, never read back. */
export class Pane {
  private readonly id = `pane-${++count}`;
  private picture: Picture | null = null;
  private view: View | null = null;
  private shading: Shading | null = null;

  constructor(
    private readonly element: HTMLDivElement,
    private engine: RenderingEngine,
    private readonly onClose: (pane: Pane) => void,
  ) {
    this.enable();
  }

  /** Load and show a picture. Rejects when its pixels do not come or cannot be read. */
  async show(picture: Picture): Promise<PictureFacts> {
    this.picture = picture;
    const viewport = this.viewport();
    await viewport.setStack([picture.address], 0);
    const pixels = viewport.getCornerstoneImage()?.getPixelData();
    if (!pixels) throw new Error("The image came without pixels");
    const range = valueRange(pixels);
    const opening = openingShading(picture.windows, picture.voiFunction, range);
    // The black beside the breast is not always black: a sigmoid window leaves it grey.
    const darkest = Math.min(...range.map((value) => greyOf(value, opening, picture.photometric)));
    const isBreast = (value: number): boolean =>
      greyOf(value, opening, picture.photometric) > darkest + BLACK;
    return { breast: contentBox(pixels, picture.size, isBreast), opening };
  }

  /** Put the image where the view says. One unit of the library's world is one stored pixel. */
  place(view: View): void {
    this.view = view;
    const viewport = this.viewport();
    const [x, y] = [view.centre[0] - 0.5, view.centre[1] - 0.5]; // its origin is the first pixel's centre
    const up = view.mirror.y ? 1 : -1;
    const towards = (view.mirror.x ? -1 : 1) * up;
    viewport.setCamera({
      viewUp: [0, up, 0],
      viewPlaneNormal: [0, 0, towards],
      focalPoint: [x, y, 0],
      position: [x, y, towards * CAMERA_DISTANCE],
      parallelScale: view.pane.height / 2 / view.scale,
    });
    viewport.render();
  }

  shade(shading: Shading): void {
    this.shading = shading;
    const viewport = this.viewport();
    viewport.setProperties({
      VOILUTFunction: shading.function as Enums.VOILUTFunctionType,
      voiRange: rangeOf(shading),
      invert: isInverted(shading, this.picture?.photometric ?? ""),
      interpolationType: Enums.InterpolationType.LINEAR,
    });
    viewport.render();
  }

  /** The element changed its size. Call `place` with the view for the new size afterwards. */
  resize(): void {
    this.engine.resize(true, true);
  }

  /** The graphics context was lost: show the same again in a new engine. */
  moveTo(engine: RenderingEngine): void {
    this.engine = engine;
    this.enable();
    if (!this.picture) return;
    void this.viewport()
      .setStack([this.picture.address], 0)
      .then(() => {
        if (this.shading) this.shade(this.shading);
        if (this.view) this.place(this.view);
      });
  }

  close(): void {
    if (this.engine.getViewport(this.id)) this.engine.disableElement(this.id);
    this.onClose(this);
  }

  private enable(): void {
    this.engine.enableElement({
      viewportId: this.id,
      type: Enums.ViewportType.STACK,
      element: this.element,
      defaultOptions: { background: [0, 0, 0] as Types.Point3 },
    });
  }

  private viewport(): StackViewport {
    return this.engine.getViewport(this.id) as StackViewport;
  }
}
