import type { ReactNode } from "react";
import { Link } from "../../router";
import { Ago } from "../../ui/ago";
import { count, counted, words } from "../../ui/format";
import type { Loop } from "../contract";

interface Station {
  readonly what: keyof Omit<Loop, "needs">;
  readonly name: string;
  readonly href: string;
  readonly state: ReactNode;
  readonly about: ReactNode;
  readonly step: string;
}

/** The loop as it stands: six words, each a link, the one that needs a person marked. */
export function Strip({ loop }: { loop: Loop }) {
  const wanted = loop.needs[0]?.what;
  return (
    <nav className="strip" aria-label="The loop">
      {stations(loop).map((station) => (
        <Link
          key={station.what}
          href={station.href}
          className={station.what === wanted ? "station is-wanted" : "station"}
        >
          <span className="station-name">
            {station.name}
            {station.what === wanted && <span className="station-flag">needs you</span>}
          </span>
          <span className="station-state">{station.state}</span>
          <span className="quiet">{station.about}</span>
          <span className="station-step">{station.step} →</span>
        </Link>
      ))}
    </nav>
  );
}

function stations(loop: Loop): Station[] {
  return [
    images(loop.images),
    read(loop.read),
    snapshot(loop.snapshot),
    run(loop.run),
    model(loop.model),
    round(loop.round),
  ];
}

function images(of: Loop["images"]): Station {
  return {
    what: "images",
    name: "Images",
    href: of.exams ? "/exams" : "/import",
    state: counted(of.exams, "exam"),
    about: `${counted(of.images, "image")} · ${count(of.rejected)} rejected`,
    step: of.exams ? "Exams" : "Import",
  };
}

function read(of: Loop["read"]): Station {
  return {
    what: "read",
    name: "Read",
    href: "/worklist",
    state: `${count(of.complete)} of ${count(of.wanted)}`,
    about: of.waiting
      ? `${counted(of.waiting, "exam")} ${of.waiting === 1 ? "waits" : "wait"}`
      : "nothing waits",
    step: "Worklist",
  };
}

function snapshot(of: Loop["snapshot"]): Station {
  return {
    what: "snapshot",
    name: "Snapshot",
    href: "/snapshots",
    state: of.latest ? `v${of.latest.number}` : "none yet",
    about: of.new_exams
      ? `+${counted(of.new_exams, "exam")}, +${counted(of.new_findings, "finding")} since`.replace(
          "+no",
          "no new",
        )
      : of.latest
        ? "holds all that is read"
        : "nothing is read yet",
    step: of.new_exams ? `Freeze v${(of.latest?.number ?? 0) + 1}` : "Snapshots",
  };
}

function run(of: Loop["run"]): Station {
  return {
    what: "run",
    name: "Run",
    href: of.running && of.latest ? `/runs/${of.latest.id}` : "/runs",
    state: of.running ? `${count(of.running)} running` : `${count(of.done)} done`,
    about: of.latest ? `run ${of.latest.number} ${of.latest.state}` : "no training yet",
    step: of.running ? "Watch" : "Retrain",
  };
}

function model(of: Loop["model"]): Station {
  const [first] = [...of.promoted].sort((a, b) => (b.promoted_at ?? "").localeCompare(a.promoted_at ?? ""));
  return {
    what: "model",
    name: "Model",
    href: "/models",
    state: of.promoted.length ? of.promoted.map((m) => m.number).join(" · ") : "none promoted",
    about: first ? (
      <>
        {of.promoted.map((m) => words(m.task)).join(", ")}; promoted <Ago at={first.promoted_at} />
      </>
    ) : (
      "exams come in drawn order"
    ),
    step: "Models",
  };
}

function round(of: Loop["round"]): Station {
  return {
    what: "round",
    name: "Round",
    href: of.latest ? `/rounds/${of.latest.id}` : "/rounds",
    state: of.latest ? count(of.latest.number) : "none yet",
    about: of.latest
      ? `${count(of.latest.read)} of ${count(of.latest.exams)} read`
      : "a promoted model ranks",
    step: "Rounds",
  };
}
