import { useEffect, useMemo, useState } from "react";
import { get } from "../api/fetch";
import { getAll } from "../api/lists";
import type { components } from "../api/schema";
import { useSession } from "../api/session";
import type { HeatMap } from "../ui/heat";
import type { NearExam } from "../ui/near";
import type { Reading } from "./server";

/** One version's maps of the exam: none where it only knows exams like it. */
export type HeatOfModel = {
  version: string;
  name: string;
  isPromoted: boolean;
  maps: readonly HeatMap[];
};

type Version = Pick<components["schemas"]["VersionOut"], "id" | "number" | "method" | "task" | "state">;

const named = (number: number, method: string, task: string) =>
  `Model ${number}, ${method}, ${task.replaceAll("_", " ")}`;

export type Heat = ReturnType<typeof useHeat>;

/** Maps by version, and the versions that have none but place the exam; the promoted ones first. Pure. */
export function byModel(maps: readonly HeatMap[], placing: readonly Version[]): HeatOfModel[] {
  const found = new Map<string, HeatMap[]>();
  for (const map of maps) found.set(map.version, [...(found.get(map.version) ?? []), map]);
  const drawn = [...found.values()].map((own) => {
    const { version, version_number, method, task, state } = own[0] as HeatMap;
    return {
      version,
      name: named(version_number, method, task),
      isPromoted: state === "promoted",
      maps: own,
    };
  });
  const others = placing
    .filter((one) => !found.has(one.id))
    .map(({ id, number, method, task, state }) => {
      return { version: id, name: named(number, method, task), isPromoted: state === "promoted", maps: [] };
    });
  return [...drawn, ...others].sort((a, b) => Number(b.isPromoted) - Number(a.isPromoted));
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
  const [placing, setPlacing] = useState<readonly Version[]>([]);
  const [near, setNear] = useState<readonly NearExam[] | null>(null);
  const [asked] = useState(() => new URLSearchParams(window.location.search).get("model"));
  const [chosen, choose] = useState<string | null>(asked);
  const [isShown, show] = useState(asked !== null);
  const [opacity, setOpacity] = useState(0.6);
  const { project, exam } = reading;
  useEffect(() => {
    if (!isOpen) return;
    const left = new AbortController();
    // Without an answer the room is what it is without models: it must never stand in the way of the images.
    get("explanations/", { project, exam }, left.signal)
      .then(setMaps)
      .catch(() => undefined);
    getAll("models/", { project, exam }, left.signal)
      .then(setPlacing)
      .catch(() => undefined);
    return () => left.abort();
  }, [isOpen, project, exam]);
  const models = useMemo(() => byModel(maps, placing), [maps, placing]);
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
