import type { ThumbImage } from "../contract";
import { inHangingOrder, viewName } from "./hanging";

const SHOWN = 4;

/** The views of an exam as small pictures, in hanging order. */
export function Thumbs({ images }: { images: readonly ThumbImage[] }) {
  const hung = inHangingOrder(images);
  return (
    <span className="thumbs">
      {hung.slice(0, SHOWN).map((image) => (
        <img
          key={image.id}
          className="thumb"
          src={image.thumbnail_url}
          alt={viewName(image)}
          title={viewName(image)}
          loading="lazy"
        />
      ))}
      {hung.length > SHOWN && <span className="quiet">+{hung.length - SHOWN}</span>}
    </span>
  );
}
