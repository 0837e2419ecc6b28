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

/** All findings of a row, whatever their type. */
export const findingCount = (findings: Readonly<Record<string, number>>): number =>
  Object.values(findings).reduce((sum, n) => sum + n, 0);
