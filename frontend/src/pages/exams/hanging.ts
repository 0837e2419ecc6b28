/** Views in the order in which people hang them, and their names. Pure. */

interface View {
  readonly laterality: string;
  readonly view: string;
}

const ORDER = ["R CC", "L CC", "R MLO", "L MLO"];

/** `R CC`; what is not known is said. */
export function viewName({ laterality, view }: View): string {
  return `${laterality || "side unknown"} ${view || "view unknown"}`;
}

/** R CC, L CC, R MLO, L MLO, then the others as they came. */
export function inHangingOrder<V extends View>(images: readonly V[]): V[] {
  const place = (image: V) => {
    const at = ORDER.indexOf(`${image.laterality} ${image.view}`);
    return at < 0 ? ORDER.length : at;
  };
  return [...images].sort((a, b) => place(a) - place(b));
}

/** How many findings a row speaks of, whether it counts them or lists them. */
export function findingCount(findings: unknown): number | null {
  if (typeof findings === "number") return findings;
  if (Array.isArray(findings)) return findings.length;
  if (findings && typeof findings === "object") {
    const values = Object.values(findings);
    return values.every((n) => typeof n === "number")
      ? values.reduce((sum: number, n) => sum + (n as number), 0)
      : values.length;
  }
  return null;
}
