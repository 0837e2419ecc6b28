import { type HungImage, mirrorClass, mirrorOf } from "../../hanging/headers";
import { Link } from "../../router";
import { useAnswer } from "../../shell/data";
import { figure } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { Worst } from "../contract";
import { MarkShape } from "./mark-shape";
import { asHung, boxAsHung } from "./mirrored";

type Shown = HungImage & { readonly rows: number; readonly cols: number };

/** The cases that the model was most wrong about, drawn, each leading to its reading in the room. */
export function WorstCases({ model, rows }: { model: string; rows: readonly Worst[] }) {
  if (rows.length === 0) return null;
  return (
    <Panel title="Worst misses">
      <p className="quiet">Solid: what the reader marked. Dashed: what the model proposed, with its score.</p>
      <div className="cards">
        {rows.map((row) => (
          <WorstCard
            key={`${row.image_id} ${row.kind} ${row.target} ${row.what} ${row.score}`}
            model={model}
            row={row}
          />
        ))}
      </div>
    </Panel>
  );
}

function WorstCard({ model, row }: { model: string; row: Worst }) {
  const { data: image } = useAnswer(`images/${row.image_id}/`);
  return (
    <Link className="worst" href={roomOf(row, model)}>
      <span className="worst-picture">
        <img
          className={image && mirrorClass(mirrorOf(image))}
          src={row.thumbnail_url}
          alt=""
          loading="lazy"
        />
        {image && <Overlay row={row} image={image} />}
      </span>
      <span>{row.what}</span>
      {typeof row.score === "number" && <span className="quiet">score {figure(row.score)}</span>}
    </Link>
  );
}

/** The reading in the room, with this model's heat map for administrators; the exam's page where nobody read it. */
const roomOf = (row: Worst, model: string): string =>
  row.reading ? `/read/${row.reading}?model=${model}` : `/exams/${row.exam_id}?image=${row.image_id}`;

/** The marks over a picture that hangs as in the reading room: they turn with it, their words do not. */
function Overlay({ row, image }: { row: Worst; image: Shown }) {
  const { cols, rows } = image;
  const mirror = mirrorOf(image);
  return (
    <svg className="worst-marks" viewBox={`0 0 ${cols} ${rows}`} aria-hidden="true">
      {row.mark && (
        <g transform={asHung(mirror, image)}>
          <MarkShape mark={row.mark} size={rows} />
        </g>
      )}
      {(row.candidates ?? []).slice(0, 3).map(({ box, score }) => {
        const [x0, y0, x1, y1] = boxAsHung(box, mirror, image);
        return (
          <g key={`${box} ${score}`} className="proposed">
            <rect x={x0} y={y0} width={x1 - x0} height={y1 - y0} />
            <text x={x0} y={y0 - rows / 120} fontSize={rows / 28}>
              {figure(score, 2)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
