import { Enums, type RenderingEngine, type StackViewport, type Types } from "@cornerstonejs/core";
import type { Bounds, ImageSize } from "../geometry/points";
import type { View } from "../geometry/view";
import { contentBox, valueRange } from "./content";
import { paintCurve } from "./paint";
import { curveOf, greyOf, type Shading } from "./voi";
import { type Looks, waysToLook } from "./windows";

/** One resolution of a picture: where the library finds it, and how many stored pixels a side of its pixel is. */
export type PictureLevel = { address: string; size: ImageSize; factor: number };

/** What is to be shown: its levels, the coarsest first, and how its values become grey. */
export type Picture = {
  levels: readonly PictureLevel[];
  size: ImageSize;
  photometric: string;
  looks: Looks;
};

/** What is known of a picture once its first pixels are here. `ways[0]` is the one to open with. */
export type PictureFacts = { breast: Bounds; ways: readonly Shading[] };

/** How far the levels of a picture have come. */
export type Progress = "coming" | "done" | "failed";

/** How finer levels come: fetched, then hung one pane after the other, so that the hand never waits for all of them. */
export type FineLevels = {
  fetch: (address: string) => Promise<unknown>;
  inTurn: (hang: () => Promise<unknown>) => Promise<unknown>;
};

/** Brighter than the darkest by less than this share of white counts as the black beside the breast. */
const BLACK = 0.06;
const CAMERA_DISTANCE = 100;

let count = 0;

/** One place that shows one image. What it shows is set from outside, never read back. */
export class Pane {
  private readonly id = `pane-${++count}`;
  private picture: Picture | null = null;
  private level: PictureLevel | null = null;
  private view: View | null = null;
  private shading: Shading | null = null;
  private resizedTo: readonly [number, number];

  constructor(
    private readonly element: HTMLDivElement,
    private engine: RenderingEngine,
    private readonly fine: FineLevels,
    private readonly onClose: (pane: Pane) => void,
  ) {
    this.resizedTo = [element.clientWidth, element.clientHeight];
    this.enable();
  }

  /**
   * Show a picture's coarsest level, then the finer ones as they come. Rejects when its first pixels do not come or
   * cannot be read; `onProgress` is told of the others.
   */
  async show(picture: Picture, onProgress: (progress: Progress) => void): Promise<PictureFacts> {
    this.picture = picture;
    const [first, ...finer] = picture.levels as [PictureLevel, ...PictureLevel[]];
    const facts = this.factsOf(picture, first, await this.hang(first));
    onProgress(finer.length ? "coming" : "done");
    void this.refine(picture, finer, onProgress);
    return facts;
  }

  private async refine(
    picture: Picture,
    finer: readonly PictureLevel[],
    onProgress: (progress: Progress) => void,
  ): Promise<void> {
    const isHere = (): boolean => this.picture === picture;
    try {
      for (const level of finer) {
        await this.fine.fetch(level.address);
        await this.fine.inTurn(async () => isHere() && this.hang(level));
      }
      if (finer.length && isHere()) onProgress("done");
    } catch {
      if (isHere()) onProgress("failed");
    }
  }

  /** Put a level's pixels on the screen, as the picture is looked at now; its values. */
  private async hang(level: PictureLevel): Promise<ArrayLike<number>> {
    const viewport = this.viewport();
    await viewport.setStack([level.address], 0);
    const pixels = viewport.getCornerstoneImage()?.getPixelData();
    if (!pixels) throw new Error("The image came without pixels");
    this.level = level;
    if (this.shading) this.shade(this.shading);
    if (this.view) this.place(this.view);
    return pixels;
  }

  private factsOf(picture: Picture, level: PictureLevel, pixels: ArrayLike<number>): PictureFacts {
    const range = valueRange(pixels);
    const ways = waysToLook(picture.looks, range);
    const grey = (value: number): number => greyOf(value, ways[0] as Shading, picture.photometric);
    // The black beside the breast is not always black: a sigmoid window leaves it grey.
    const darkest = Math.min(...range.map(grey));
    const step = Math.max(1, Math.round(8 / level.factor));
    const box = contentBox(pixels, level.size, (value) => grey(value) > darkest + BLACK, step);
    const { cols, rows } = picture.size;
    const [x0, y0, x1, y1] = box.map((edge) => edge * level.factor) as [number, number, number, number];
    return { breast: [x0, y0, Math.min(x1, cols), Math.min(y1, rows)], ways };
  }

  /** Put the image where the view says. One unit of the library's world is one pixel of the level. */
  place(view: View): void {
    this.view = view;
    const factor = this.level?.factor ?? 1;
    const viewport = this.viewport();
    // Its origin is the first pixel's centre.
    const [x, y] = [view.centre[0] / factor - 0.5, view.centre[1] / factor - 0.5];
    const up = view.mirror.y ? 1 : -1;
    const towards = (view.mirror.x ? -1 : 1) * up;
    viewport.setCamera({
      viewUp: [0, up, 0],
      viewPlaneNormal: [0, 0, towards],
      focalPoint: [x, y, 0],
      position: [x, y, towards * CAMERA_DISTANCE],
      parallelScale: view.pane.height / 2 / (view.scale * factor),
    });
    viewport.render();
  }

  shade(shading: Shading): void {
    this.shading = shading;
    const viewport = this.viewport();
    viewport.setProperties({ interpolationType: Enums.InterpolationType.LINEAR });
    paintCurve(viewport, curveOf(shading, this.picture?.photometric ?? ""));
    viewport.render();
  }

  /** The element changed its size. Call `place` with the view for the new size afterwards. */
  resize(): void {
    const { clientWidth, clientHeight } = this.element;
    const [width, height] = this.resizedTo;
    if (clientWidth === width && clientHeight === height) return;
    this.resizedTo = [clientWidth, clientHeight];
    this.engine.resize(true, true);
  }

  /** The graphics context was lost: show the same again in a new engine. */
  moveTo(engine: RenderingEngine): void {
    this.engine = engine;
    this.enable();
    if (this.level) void this.hang(this.level);
  }

  close(): void {
    this.picture = null;
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
