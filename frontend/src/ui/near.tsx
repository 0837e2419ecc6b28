import type { components } from "../api/schema";
import { mirrorClass, mirrorOf } from "../hanging/headers";
import { Link } from "../router";
import { words } from "./format";
import "./near.css";

export type NearExam = components["schemas"]["NearestOut"];

/** `density c · mass R, malignant`: what the labels of an exam say. Pure. */
export function labelsText({ density, findings }: Pick<NearExam, "density" | "findings">): string {
  const said = findings.map((finding) =>
    [[words(finding.type), finding.laterality].filter(Boolean).join(" "), finding.pathology]
      .filter((word) => word && word !== "unknown")
      .join(", "),
  );
  return [density && `density ${density}`, said.join("; ") || "no finding"].filter(Boolean).join(" · ");
}

/** Labelled exams that a model finds alike, each leading to its reading in the room. */
export function NearExams({ rows }: { rows: readonly NearExam[] }) {
  if (rows.length === 0)
    return <p className="quiet room-quiet">No labelled exam has a place beside this one.</p>;
  return (
    <ul className="near" data-testid="nearest">
      {rows.map((row) => (
        <li key={row.exam}>
          <Link href={`/read/${row.reading}`} className="near-exam">
            <span className="near-pictures">
              {row.images.slice(0, 4).map((image) => (
                <img
                  key={image.id}
                  className={mirrorClass(mirrorOf(image))}
                  src={image.thumbnail_url}
                  alt=""
                  loading="lazy"
                />
              ))}
            </span>
            <span>
              {row.label} <span className="quiet room-quiet">cosine {row.cosine.toFixed(3)}</span>
            </span>
            <span>{labelsText(row)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
