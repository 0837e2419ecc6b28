import { Link } from "../../router";
import { useAnswer } from "../../shell/data";
import { figure } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { Worst } from "../contract";
import { MarkShape } from "./mark-shape";

interface ImageSize {
  readonly rows: number;
  readonly cols: number;
}

/** The cases that the model was most wrong about, drawn, each leading to its exam. */
export function WorstCases({ rows }: { rows: readonly Worst[] }) {
  if (rows.length === 0) return null;
  return (
    <Panel title="Worst misses">
      <p className="quiet">Solid: what the reader marked. Dashed: what the model proposed, with its score.</p>
      <div className="cards">
        {rows.map((row) => (
          <WorstCard key={`${row.image_id} ${row.kind} ${row.target} ${row.what} ${row.score}`} row={row} />
        ))}
      </div>
    </Panel>
  );
}

function WorstCard({ row }: { row: Worst }) {
  const size = useAnswer(`images/${row.image_id}/`);
  return (
    <Link className="worst" href={`/exams/${row.exam_id}?image=${row.image_id}`}>
      <span className="worst-picture">
        <img src={row.thumbnail_url} alt="" loading="lazy" />
        {size.data && <Overlay row={row} size={size.data} />}
      </span>
      <span>{row.what}</span>
      {typeof row.score === "number" && <span className="quiet">score {figure(row.score)}</span>}
    </Link>
  );
}

function Overlay({ row, size }: { row: Worst; size: ImageSize }) {
  return (
    <svg className="worst-marks" viewBox={`0 0 ${size.cols} ${size.rows}`} aria-hidden="true">
      {row.mark && <MarkShape mark={row.mark} size={size.rows} />}
      {(row.candidates ?? []).slice(0, 3).map(({ box: [x0, y0, x1, y1], score }) => (
        <g key={`${x0} ${y0} ${x1} ${y1} ${score}`} className="proposed">
          <rect x={x0} y={y0} width={x1 - x0} height={y1 - y0} />
          <text x={x0} y={y0 - size.rows / 120} fontSize={size.rows / 28}>
            {figure(score, 2)}
          </text>
        </g>
      ))}
    </svg>
  );
}
