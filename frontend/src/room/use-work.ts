import { useEffect, useState } from "react";
import type { Worklist } from "../api/types";
import type { Stage } from "../viewer/stage";
import { lookAhead } from "./ahead";
import { type Opened, workIn } from "./server";

/** How long the exam in hand has the network and the decoders for itself. */
const HEAD_START_MS = 1000;

/** What waits for this reader, and the next exam's images on their way while this one is read. */
export function useWork({ reading, exam }: Opened, stage: Stage | null): Worklist | null {
  const [work, setWork] = useState<Worklist | null>(null);
  useEffect(() => {
    let gone = false;
    // Not to know what waits stands in nobody's way.
    workIn(reading.project).then(
      (answer) => !gone && setWork(answer),
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [reading.project]);

  useEffect(() => {
    if (!stage || !work) return;
    const next = work.upcoming;
    let gone = false;
    const later = setTimeout(async () => {
      const images = next && next !== exam.id ? await imagesOf(reading.project, next) : [];
      if (!gone) stage.fetchAhead(images);
    }, HEAD_START_MS);
    return () => {
      gone = true;
      clearTimeout(later);
    };
  }, [stage, work, reading.project, exam.id]);
  return work;
}

const imagesOf = (project: string, exam: string) =>
  lookAhead(project, exam).then(
    (detail) => detail.images,
    () => [],
  );
