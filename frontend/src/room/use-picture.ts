import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ExamImage } from "../api/types";
import type { DisplaySize } from "../geometry/points";
import { type Edge, fitScale, type Mirror, placeBox, resized, type View } from "../geometry/view";
import type { Pane, PictureFacts, Progress } from "../viewer/pane";
import type { Stage } from "../viewer/stage";
import type { Shading } from "../viewer/voi";

/** How the images of one hanging were left: kept while the exam is open, so that a window survives a new hanging. */
export type Shadings = Map<string, Shading>;

/** How much of the stored resolution is seen: all, less until it comes, or less for good and why. */
export type Resolution = "full" | "coming" | "failed" | "reduced";

export type PictureState = {
  view: View | null;
  shading: Shading | null;
  /** The ways to look that the file offers. */
  ways: readonly Shading[];
  resolution: Resolution;
  error: string | null;
  setView: (change: (view: View) => View) => void;
  setShading: (change: (shading: Shading) => Shading) => void;
  fit: () => void;
  retry: () => void;
};

type Props = {
  stage: Stage;
  image: ExamImage;
  mirror: Mirror;
  edge: Edge;
  shadings: Shadings;
  /** Display px per unit (mm, or px where a spacing is unknown) that every image of the hanging fits in. */
  common: number | null;
  unitPerPx: number;
  /** The hanging's name: another one shows the whole breast again, wherever the last one was zoomed to. */
  hanging: string;
  onFit: (imageId: string, scale: number) => void;
};

/** One image in one element: loads it, keeps it placed and shaded, and follows the element's size. */
export function usePicture(element: RefObject<HTMLDivElement | null>, props: Props): PictureState {
  const { stage, image, mirror, edge, shadings, common, unitPerPx, hanging, onFit } = props;
  const pane = useRef<Pane | null>(null);
  const [facts, setFacts] = useState<PictureFacts | null>(null);
  const [view, placeView] = useState<View | null>(null);
  const [shading, shade] = useState<Shading | null>(null);
  const [resolution, setResolution] = useState<Resolution>("coming");
  const [error, setError] = useState<string | null>(null);
  const [size, setSize] = useState<DisplaySize | null>(null);
  const [isTouched, setTouched] = useState(false);
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    if (!element.current) return;
    const current = stage.pane(element.current);
    pane.current = current;
    return () => {
      pane.current = null;
      current.close();
    };
  }, [stage, element]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` asks for another try
  useEffect(() => {
    let gone = false;
    setError(null);
    const picture = stage.pictureOf(image);
    const onProgress = (progress: Progress) =>
      !gone && setResolution(resolutionOf(progress, picture.isReduced));
    pane.current
      ?.show(picture, onProgress)
      .then((found) => {
        if (gone) return;
        setFacts(found);
        shade(shadings.get(image.id) ?? (found.ways[0] as Shading));
      })
      .catch((reason: unknown) => !gone && setError(textOf(reason)));
    return () => {
      gone = true;
    };
  }, [stage, image, shadings, turn]);

  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = (entry as ResizeObserverEntry).contentRect;
      if (width && height) setSize({ width, height });
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);

  useEffect(() => {
    if (facts && size) onFit(image.id, fitScale(facts.breast, size) / unitPerPx);
  }, [facts, size, image.id, unitPerPx, onFit]);

  useLayoutEffect(() => {
    if (!facts || !size) return;
    pane.current?.resize();
    const scale = common === null ? fitScale(facts.breast, size) : common * unitPerPx;
    placeView((old) =>
      old && isTouched ? resized(old, size) : placeBox(facts.breast, size, scale, mirror, edge),
    );
  }, [facts, size, common, unitPerPx, mirror, edge, isTouched]);

  useLayoutEffect(() => {
    if (view && facts) pane.current?.place(view);
  }, [view, facts]);

  useLayoutEffect(() => {
    if (!shading || !facts) return;
    pane.current?.shade(shading);
    shadings.set(image.id, shading);
  }, [shading, facts, shadings, image.id]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new hanging begins with the whole breast
  useEffect(() => setTouched(false), [hanging]);

  const setView = useCallback((change: (view: View) => View) => {
    setTouched(true);
    placeView((old) => old && change(old));
  }, []);
  const setShading = useCallback(
    (change: (shading: Shading) => Shading) => shade((old) => old && change(old)),
    [],
  );
  const fit = useCallback(() => setTouched(false), []);
  const retry = useCallback(() => setTurn((n) => n + 1), []);
  const ways = facts?.ways ?? NONE;
  return { view, shading, ways, resolution, error, setView, setShading, fit, retry };
}

const NONE: readonly Shading[] = [];

function resolutionOf(progress: Progress, isReduced: boolean): Resolution {
  if (progress === "done") return isReduced ? "reduced" : "full";
  return progress;
}

function textOf(reason: unknown): string {
  const request = (reason as { request?: { status?: number } } | null)?.request;
  if (request?.status) return `the server answered ${request.status}`;
  return reason instanceof Error && reason.message ? reason.message : "its pixels did not arrive";
}
