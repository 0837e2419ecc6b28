import {
  cache,
  Enums,
  eventTarget,
  imageLoader,
  imageLoadPoolManager,
  init as initCore,
  RenderingEngine,
} from "@cornerstonejs/core";
import { init as initLoader, wadors } from "@cornerstonejs/dicom-image-loader";
import type { ExamImage } from "../api/types";
import { longestTexture } from "./graphics";
import { type Level, levelsOf } from "./levels";
import { headerForViewer } from "./metadata";
import { Pane, type Picture, type PictureLevel } from "./pane";
import { type Piece, Shelf } from "./shelf";
import { voiTables } from "./tables";

/** Four full-field images of 4096 x 5625 at 2 bytes, the next four, and room for a few more views. */
const CACHE_BYTES = 1_000_000_000;

/**
 * One engine for the life of the page. A destroyed engine keeps its graphics contexts until the browser cleans up, and
 * beyond sixteen of them the browser takes the oldest away: an engine for each exam would go black after four exams.
 */
let engine: RenderingEngine | null = null;
let engines = 0;

function engineInUse(): RenderingEngine {
  if (!engines) {
    initCore({ rendering: { webGlContextCount: 4 } } as Parameters<typeof initCore>[0]);
    initLoader({ maxWebWorkers: Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1)) });
    cache.setMaxCacheSize(CACHE_BYTES);
  }
  engine ??= new RenderingEngine(`reading-room-${++engines}`);
  return engine;
}

/** What was drawn is on the screen, and the hand was listened to. */
const painted = (): Promise<void> =>
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));

/** Lives as long as the page: what was fetched ahead for the next exam is there when it is opened. */
const shelf = new Shelf(CACHE_BYTES);

const addressOf = ({ url }: Level): string => `wadors:${new URL(url, window.location.href).href}`;

const pieceOf = (level: Level): Piece => ({
  address: addressOf(level),
  bytes: 2 * level.size.cols * level.size.rows,
});

const levelsNow = (image: ExamImage) => levelsOf(image, longestTexture());

/** Hand the library an image's header first: the pixels alone say too little. */
function introduce(image: ExamImage, level: Level): string {
  const address = addressOf(level);
  if (!wadors.metaDataManager.get(address)) {
    wadors.metaDataManager.add(address, headerForViewer(image.metadata, level.size) as never);
  }
  return address;
}

function letGo(address: string): void {
  wadors.metaDataManager.remove(address);
  if (cache.getImageLoadObject(address)) cache.removeImageLoadObject(address, { force: true });
}

/** Load behind everything else. A failure shows when the image is wanted. */
function fetchLater(address: string): void {
  if (cache.getImageLoadObject(address)) return;
  const quietly = (): Promise<void> =>
    imageLoader.loadAndCacheImage(address).then(undefined, () => undefined);
  imageLoadPoolManager.addRequest(quietly as never, Enums.RequestType.Prefetch, { imageId: address }, 0);
}

/** Let go of all pixels: nobody reads any more. */
export function clearStage(): void {
  for (const address of shelf.open([])) letGo(address);
}

/** The screen of the reading room: the only room that knows the viewer's library. It holds no truth about marks. */
export class Stage {
  private readonly panes = new Set<Pane>();
  private isRestoring = false;
  private turn: Promise<unknown> = Promise.resolve();

  /**
   * The screen for an exam; all pixels but its own are let go. `onContextLost` is told when the graphics driver dropped
   * the pictures; they are painted again by themselves.
   */
  constructor(
    private readonly images: readonly ExamImage[],
    private readonly onContextLost: () => void,
  ) {
    engineInUse();
    for (const address of shelf.open(images.flatMap((image) => levelsNow(image).levels).map(pieceOf)))
      letGo(address);
    eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.restore);
  }

  pane(element: HTMLDivElement): Pane {
    const fine = { fetch: this.fetchFine, inTurn: this.inTurn };
    const pane = new Pane(element, engineInUse(), fine, (gone) => this.panes.delete(gone));
    this.panes.add(pane);
    return pane;
  }

  /** An image as a pane shows it. */
  pictureOf(image: ExamImage): Picture & { isReduced: boolean } {
    const { levels, isReduced } = levelsNow(image);
    const known = (level: Level): PictureLevel => ({ ...level, address: introduce(image, level) });
    return {
      levels: levels.map(known),
      isReduced,
      size: { cols: image.cols, rows: image.rows },
      photometric: image.photometric,
      looks: { windows: image.windows, voiFunction: image.voi_function, tables: voiTables(image.metadata) },
    };
  }

  /** Load what is left of this exam, then the next one: all of its small levels, then its full resolution. */
  fetchAhead(next: readonly ExamImage[]): void {
    for (const image of this.images) {
      for (const level of levelsNow(image).levels) fetchLater(introduce(image, level));
    }
    const byLevel = [0, 1].flatMap((n) =>
      next.flatMap((image) => {
        const level = levelsNow(image).levels[n];
        return level ? [{ image, level, ...pieceOf(level) }] : [];
      }),
    );
    const fetched = new Set(shelf.reach(byLevel));
    for (const { image, level, address } of byLevel) {
      if (fetched.has(address)) fetchLater(introduce(image, level));
    }
  }

  /** A finer level: asked for once the coarse ones are on the screen, for it is ten times their size. */
  private readonly fetchFine = async (address: string): Promise<void> => {
    await painted();
    await imageLoader.loadAndCacheImage(address);
  };

  private readonly inTurn = (hang: () => Promise<unknown>): Promise<unknown> => {
    const mine = this.turn.then(painted).then(hang);
    this.turn = mine.catch(() => undefined);
    return mine;
  };

  close(): void {
    eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.restore);
    for (const pane of [...this.panes]) pane.close();
  }

  /**
   * A lost context leaves black panes. A new engine paints the same images in the same places. All contexts tend to go
   * at once, each with its own event: the first one is acted on, when the others have been told too.
   */
  private readonly restore = (event: Event): void => {
    const { renderingEngineId } = (event as CustomEvent<{ renderingEngineId: string }>).detail;
    if (this.isRestoring || renderingEngineId !== engine?.id) return;
    this.isRestoring = true;
    setTimeout(() => {
      engine?.destroy();
      engine = null;
      for (const pane of this.panes) pane.moveTo(engineInUse());
      this.isRestoring = false;
      this.onContextLost();
    }, 100);
  };
}
