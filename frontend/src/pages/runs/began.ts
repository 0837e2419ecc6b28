/** How the stages of a run began, from the reports in environment.json. Pure. */

import { percent } from "../../ui/format";

type Report = Readonly<Record<string, unknown>>;

/** The reports of the stages by name; none where the run has not finished. */
export function stageReports(environment: Report): [name: string, report: Report][] {
  return Object.entries((environment.stages ?? {}) as Readonly<Record<string, Report>>);
}

const BEGAN: Readonly<Record<string, string>> = { scratch: "from scratch", trunk: "with a model's trunk" };

/** `weights file, 62 keys, 100 % of what was wanted`: what a stage began with, and how much of it was used. */
export function beganText(report: Report): string {
  const { init, loaded, share } = report;
  return [
    typeof init === "string" ? (BEGAN[init] ?? init.replaceAll("_", " ")) : "—",
    typeof loaded === "number" && `${loaded} keys`,
    typeof share === "number" && `${percent(share)} of what was wanted`,
    typeof report.weights_file === "string" && `not from the file: ${report.weights_file}`,
  ]
    .filter(Boolean)
    .join(", ");
}
