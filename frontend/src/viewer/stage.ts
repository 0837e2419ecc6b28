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
import { headerForViewer } from "./metadata";
import { Pane } from "./pane";

/** Four full-field images of 3328 x 4084 at 2 bytes, the next four, and room for others. */
const CACHE_BYTES = 1_500_000_000;

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

const addressOf = (image: ExamImage): string =>
  `wadors:${new URL(image.frame_url, window.location.href).href}`;

/** The screen of the reading room: the only room that knows the viewer's library. It holds no truth about marks. */
export class Stage {
  private readonly panes = new Set<Pane>();
  private readonly known = new Set<string>();
  private isRestoring = false;

  /** `onContextLost` is told when the graphics driver dropped the pictures; they are painted again by themselves. */
  constructor(private readonly onContextLost: () => void) {
    engineInUse();
    eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.restore);
  }

  pane(element: HTMLDivElement): Pane {
    const pane = new Pane(element, engineInUse(), (gone) => this.panes.delete(gone));
    this.panes.add(pane);
    return pane;
  }

  /** The library's address of an image; its header is handed over first, for the pixels alone say too little. */
  addressFor(image: ExamImage): string {
    const address = addressOf(image);
    if (!this.known.has(address))
      wadors.metaDataManager.add(address, headerForViewer(image.metadata) as never);
    this.known.add(address);
    return address;
  }

  /** Load images that will be wanted next, behind everything else. A failure shows when they are wanted. */
  prefetch(images: readonly ExamImage[]): void {
    for (const image of images) {
      const imageId = this.addressFor(image);
      if (cache.getImageLoadObject(imageId)) continue;
      const load = (): Promise<void> =>
        imageLoader.loadAndCacheImage(imageId).then(
          () => undefined,
          () => undefined,
        );
      imageLoadPoolManager.addRequest(load, Enums.RequestType.Prefetch, { imageId }, 0);
    }
  }

  /** Let go of all pixels but those of these images: one exam and the next, never a day's worth. */
  keepOnly(images: readonly ExamImage[]): void {
    const kept = new Set(images.map(addressOf));
    for (const address of this.known) {
      if (kept.has(address)) continue;
      this.known.delete(address);
      wadors.metaDataManager.remove(address);
      if (cache.getImageLoadObject(address)) cache.removeImageLoadObject(address, { force: true });
    }
  }

  close(): void {
    eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.restore);
    for (const pane of [...this.panes]) pane.close();
    this.keepOnly([]);
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
