import { Enums, type StackViewport } from "@cornerstonejs/core";

type Node = { x: number; r: number; g: number; b: number; midpoint: number; sharpness: number };

/** What is used of the library's own objects for a picture on the graphics card. */
type Slice = {
  getProperty?: () => {
    setUseLookupTableScalarRange: (on: boolean) => void;
    getRGBTransferFunction: (component: number) => { setNodes: (nodes: Node[]) => void } | null;
  };
  getMapper?: () => { setColorTextureWidth?: (width: number) => void };
};

/** Greys that the graphics card keeps of a curve: as many as 12 bits have values. Its own choice would be 1024. */
const TABLE_WIDTH = 4096;

/**
 * Paint an image by our own curve of grey, whatever the library would make of its header: it draws a VOI LUT as a line,
 * a sigmoid at another slope, and inverts by what was shown before (PS3.3 C.11.2).
 */
export function paintCurve(viewport: StackViewport, curve: readonly (readonly [number, number])[]): void {
  const slice = viewport.getDefaultActor()?.actor as unknown as Slice | undefined;
  const property = slice?.getProperty?.();
  const painted = property?.getRGBTransferFunction?.(0);
  if (!property || !painted?.setNodes) {
    paintWithoutCard(viewport, curve);
    return;
  }
  property.setUseLookupTableScalarRange(true);
  slice?.getMapper?.().setColorTextureWidth?.(TABLE_WIDTH);
  painted.setNodes(curve.map(([x, grey]) => ({ x, r: grey, g: grey, b: grey, midpoint: 0.5, sharpness: 0 })));
}

/** Without a graphics card the library paints straight windows alone: from the first to the last point of the curve. */
function paintWithoutCard(viewport: StackViewport, curve: readonly (readonly [number, number])[]): void {
  const [first, last] = [curve[0], curve.at(-1)];
  if (!first || !last) return;
  viewport.setProperties({
    VOILUTFunction: Enums.VOILUTFunctionType.LINEAR_EXACT,
    voiRange: { lower: first[0], upper: last[0] },
    invert: first[1] > last[1],
  });
}
