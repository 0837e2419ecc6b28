import { useEffect, useMemo, useState } from "react";
import { get } from "../api/fetch";
import { useSession } from "../api/session";
import type { HeatMap } from "../ui/heat";
import type { NearExam } from "../ui/near";
import type { Reading } from "./server";

/** One version's maps of the exam. */
export type HeatOfModel = {
  version: string;
  name: string;
  maps: readonly HeatMap[];
};

export type Heat = ReturnType<typeof useHeat>;

/** Maps by version, the promoted ones first. Pure. */
export function byModel(maps: readonly HeatMap[]): HeatOfModel[] {
  const found = new Map<string, HeatMap[]>();
  for (const map of maps) found.set(map.version, [...(found.get(map.version) ?? []), map]);
  const models = [...found.values()].map((own) => {
    const { version, version_number, method, task } = own[0] as HeatMap;
    return { version, name: `Model ${version_number}, ${method}, ${task.replaceAll("_", " ")}`, maps: own };
  });
  const isPromoted = (model: HeatOfModel) => model.maps[0]?.state === "promoted";
  return models.sort((a, b) => Number(isPromoted(b)) - Number(isPromoted(a)));
}

/**
 * What models say of an exam that has been read: for administrators, on a complete reading, and nobody else. `null`
 * while it is not theirs to see. A version that the address names (`?model=`) is shown at once.
 */
export function useHeat(reading: Reading) {
  const me = useSession();
  const isAdmin = Boolean(
    me?.is_site_admin ||
      me?.memberships.some((one) => one.project.id === reading.project && one.role === "admin"),
  );
  const isOpen = isAdmin && reading.state === "complete";
  const [maps, setMaps] = useState<readonly HeatMap[]>([]);
  const [near, setNear] = useState<readonly NearExam[] | null>(null);
  const [named] = useState(() => new URLSearchParams(window.location.search).get("model"));
  const [chosen, choose] = useState<string | null>(named);
  const [isShown, show] = useState(named !== null);
  const [opacity, setOpacity] = useState(0.6);
  const { project, exam } = reading;
  useEffect(() => {
    if (!isOpen) return;
    const left = new AbortController();
    // Without an answer the room is what it is without models: it must never stand in the way of the images.
    get("explanations/", { project, exam }, left.signal)
      .then(setMaps)
      .catch(() => undefined);
    return () => left.abort();
  }, [isOpen, project, exam]);
  const models = useMemo(() => byModel(maps), [maps]);
  const model = models.find((one) => one.version === chosen) ?? models[0] ?? null;
  const version = isOpen ? model?.version : undefined;
  useEffect(() => {
    setNear(null);
    if (!version) return;
    const left = new AbortController();
    get(`models/${version}/nearest/`, { exam }, left.signal)
      .then(setNear)
      .catch(() => undefined);
    return () => left.abort();
  }, [version, exam]);
  return {
    models: isOpen ? models : [],
    model: isOpen ? model : null,
    near,
    isShown: isShown && isOpen,
    opacity,
    choose,
    toggle: () => show((shown) => !shown),
    setOpacity,
  };
}
