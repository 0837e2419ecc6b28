import type { ThumbImage } from "../contract";
import { inHangingOrder } from "./hanging";
import { Picture } from "./picture";

const SHOWN = 4;

/** The views of an exam as small pictures, in hanging order. */
export function Thumbs({ images }: { images: readonly ThumbImage[] }) {
  const hung = inHangingOrder(images);
  return (
    <span className="thumbs">
      {hung.slice(0, SHOWN).map((image) => (
        <Picture key={image.id} image={image} className="thumb" />
      ))}
      {hung.length > SHOWN && <span className="quiet">+{hung.length - SHOWN}</span>}
    </span>
  );
}
