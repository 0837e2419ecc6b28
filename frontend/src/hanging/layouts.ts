import { chestWall, type HungImage, hangable, viewName } from "./headers";

/** One place of a layout. A view that the exam lacks leaves a labelled empty pane, never a shifted layout. */
export type Cell = { view: string; imageId: string | null; edge: "left" | "right" | "middle" };
export type Layout = { name: string; rows: readonly (readonly Cell[])[] };

/** Hangings as data: the views of each row, from left to right. Chest walls meet in the middle of each pair. */
type Recipe = {
  name: string;
  needs: readonly string[];
  landscape: readonly string[][];
  portrait?: readonly string[][];
};

const STANDARD = ["R-CC", "L-CC", "R-MLO", "L-MLO"];
const RECIPES: readonly Recipe[] = [
  {
    name: "4-up",
    needs: STANDARD,
    landscape: [STANDARD],
    portrait: [
      ["R-CC", "L-CC"],
      ["R-MLO", "L-MLO"],
    ],
  },
  { name: "CC", needs: ["R-CC", "L-CC"], landscape: [["R-CC", "L-CC"]] },
  { name: "MLO", needs: ["R-MLO", "L-MLO"], landscape: [["R-MLO", "L-MLO"]] },
  { name: "R", needs: ["R-CC", "R-MLO"], landscape: [["R-CC", "R-MLO"]] },
  { name: "L", needs: ["L-CC", "L-MLO"], landscape: [["L-CC", "L-MLO"]] },
];

/**
 * The layouts for an exam, the first of them to open with.
 *
 * A recipe is offered where at least two of its views are there. Further images of a standard view and views that no
 * recipe knows are appended as pages of their own, so that every image can be seen. One image fills the screen.
 */
export function layoutsFor(images: readonly HungImage[], isPortrait: boolean): Layout[] {
  const hung = hangable(images);
  const byView = new Map<string, HungImage>();
  for (const image of hung) if (!byView.has(viewName(image))) byView.set(viewName(image), image);

  const cell = (view: string): Cell => cellOf(view, byView.get(view) ?? null);
  const offered = RECIPES.filter((recipe) => isOffered(recipe, byView)).map((recipe) => ({
    name: recipe.name,
    rows: ((isPortrait && recipe.portrait) || recipe.landscape).map((row) => row.map(cell)),
  }));
  const placed = new Set(offered.flatMap((layout) => layout.rows.flat().map((place) => place.imageId)));
  const left = hung.filter((image) => !placed.has(image.id));
  return [...openingFirst(offered), ...pagesOf(left, isPortrait)];
}

const imagesOf = (layout: Layout): string[] => layout.rows.flat().flatMap((place) => place.imageId ?? []);

/** An exam of one breast or of one view of each opens with the pair that shows all of it, not with empty places. */
function openingFirst(layouts: readonly Layout[]): Layout[] {
  const [widest] = layouts;
  const whole = layouts.find((layout) => {
    const shown = imagesOf(layout);
    return shown.length === layout.rows.flat().length && shown.length === imagesOf(widest as Layout).length;
  });
  return whole ? [whole, ...layouts.filter((layout) => layout !== whole)] : [...layouts];
}

const cellOf = (view: string, image: HungImage | null): Cell => ({
  view,
  imageId: image?.id ?? null,
  edge: image ? chestWall(image) : "middle",
});

/** The four-up opens whatever it lacks as long as it has a CC and an MLO view; the others need all of theirs. */
function isOffered(recipe: Recipe, byView: ReadonlyMap<string, HungImage>): boolean {
  const has = recipe.needs.filter((view) => byView.has(view));
  if (recipe.name !== "4-up") return has.length === recipe.needs.length;
  return has.some((view) => view.endsWith("-CC")) && has.some((view) => view.endsWith("-MLO"));
}

const PER_PAGE = 4;

function pagesOf(images: readonly HungImage[], isPortrait: boolean): Layout[] {
  const sorted = [...images].sort((a, b) => (viewName(a) < viewName(b) ? -1 : 1));
  const pages: Layout[] = [];
  for (let start = 0; start < sorted.length; start += PER_PAGE) {
    const cells = sorted.slice(start, start + PER_PAGE).map((image) => cellOf(viewName(image), image));
    const half = Math.ceil(cells.length / 2);
    const [only] = cells;
    if (cells.length === 1 && only) {
      pages.push({ name: only.view, rows: [[{ ...only, edge: "middle" }]] });
      continue;
    }
    const rows = isPortrait ? [cells.slice(0, half), cells.slice(half)] : [cells];
    pages.push({ name: `more ${pages.length + 1}`, rows });
  }
  return pages;
}
