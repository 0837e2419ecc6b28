import { mirrorClass, mirrorOf } from "../../hanging/headers";
import type { ThumbImage } from "../contract";
import "./exams.css";
import { viewName } from "./hanging";

interface Props {
  readonly image: ThumbImage;
  readonly className?: string;
  /** False where its name stands beside it in words. */
  readonly named?: boolean;
}

/** The small picture of an image as it hangs: the file is never mirrored, the picture is where the header says so. */
export function Picture({ image, className = "", named = true }: Props) {
  const turned = [className, mirrorClass(mirrorOf(image))].filter(Boolean).join(" ");
  const name = viewName(image);
  return (
    <img className={turned} src={image.thumbnail_url} alt={named ? name : ""} title={name} loading="lazy" />
  );
}
