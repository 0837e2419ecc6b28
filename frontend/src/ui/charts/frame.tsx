import type { ReactNode } from "react";
import { compact } from "../format";
import { linear, type Scale, ticks } from "./scale";

export interface Axis {
  readonly label: string;
  readonly domain: readonly [number, number];
  readonly ticks?: readonly number[];
  readonly format?: (value: number) => string;
}

export const SIZE = { width: 640, height: 260, left: 48, right: 16, top: 28, bottom: 38 } as const;

interface Props {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly width?: number;
  readonly height?: number;
  readonly children: (x: Scale, y: Scale) => ReactNode;
}

const bare = (value: number) => compact(value).replace(/^(-?)0\./, "$1.");

/** Two axes with quiet grid lines; what is drawn inside gets the scales. */
export function Frame({ title, x, y, width = SIZE.width, height = SIZE.height, children }: Props) {
  const sx = linear(x.domain, [SIZE.left, width - SIZE.right]);
  const sy = linear(y.domain, [height - SIZE.bottom, SIZE.top]);
  return (
    <svg className="chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={title}>
      {(y.ticks ?? ticks(y.domain)).map((value) => (
        <g key={value}>
          <line className="grid" x1={SIZE.left} x2={width - SIZE.right} y1={sy(value)} y2={sy(value)} />
          <text className="tick" x={SIZE.left - 8} y={sy(value) + 4} textAnchor="end">
            {(y.format ?? bare)(value)}
          </text>
        </g>
      ))}
      {(x.ticks ?? ticks(x.domain)).map((value) => (
        <text key={value} className="tick" x={sx(value)} y={height - SIZE.bottom + 16} textAnchor="middle">
          {(x.format ?? bare)(value)}
        </text>
      ))}
      <text className="axis-label" x={width - SIZE.right} y={height - 6} textAnchor="end">
        {x.label}
      </text>
      <text className="axis-label" x={0} y={12}>
        {y.label}
      </text>
      {children(sx, sy)}
    </svg>
  );
}
