import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import type { ExamImage } from "../api/types";
import { emptyDocument, marksIn } from "../reading/document";
import { setBirads } from "../reading/edits";
import { applyPatch } from "../reading/patch";
import { drawnMark } from "./deeds";
import { markLabel, Overlay } from "./overlay";
import { Panel } from "./panel";

const image = { id: "i1", laterality: "R", view: "MLO", spacing_mm: [0.1, 0.1] as const } as ExamImage;
const deal = drawnMark(
  emptyDocument(),
  null,
  image,
  { kind: "circle", geometry: [100, 100, 60] },
  { type: "calcification", more: false },
);
const document = applyPatch(emptyDocument(), deal.patch);
const [mark] = marksIn(document, "i1");
if (!mark) throw new Error("the mark was not drawn");

describe("a mark on an image", () => {
  test("says its finding, what it is and how long it is in mm", () => {
    expect(markLabel(mark, { kind: "circle", geometry: [0, 0, 60] }, 0.1)).toBe("1 · calc. · 12 mm");
  });

  // trap 6
  test("without a spacing says px, never mm", () => {
    expect(markLabel(mark, { kind: "circle", geometry: [0, 0, 60] }, null)).toBe("1 · calc. · 120 px");
  });

  test("of a model is dashed until it is edited", () => {
    const suggested = { ...mark, mark: { ...mark.mark, provenance: "model_accepted" as const } };
    const view = {
      centre: [0, 0] as const,
      scale: 1,
      mirror: { x: false, y: false },
      pane: { width: 9, height: 9 },
    };
    const draw = (one: typeof mark) =>
      renderToStaticMarkup(
        <svg aria-hidden="true">
          <Overlay
            marks={[one]}
            view={view}
            selectedMark={null}
            selectedFinding={null}
            changing={null}
            drawing={null}
            mmPerPx={null}
          />
        </svg>,
      );
    expect(draw(suggested)).toContain("mark-model");
    expect(draw(mark)).not.toContain("mark-model");
  });
});

describe("the panel", () => {
  const panel = (shown: typeof document, isLocked = false) =>
    renderToStaticMarkup(
      <Panel
        document={shown}
        images={[image]}
        selection={deal.selection}
        nextType="mass"
        isLocked={isLocked}
        edit={() => undefined}
        onSelect={() => undefined}
        onType={() => undefined}
        onRemove={() => undefined}
      >
        {null}
      </Panel>,
    );

  test("lists the finding with its side, view and length", () => {
    expect(panel(document)).toMatch(/Calcification.*, right.*MLO.*marked.*12 mm/);
  });

  test("offers 4A to 4C once a breast is called suspicious", () => {
    expect(panel(document)).not.toContain("birads4-R");
    expect(panel(applyPatch(document, setBirads(document, "R", "4")))).toContain("birads4-R-4A");
  });

  test("takes no answers while the reading is not ours to change", () => {
    expect(panel(document, true)).toContain('<fieldset disabled=""');
  });
});
