import { figure, interval } from "../format";

export interface FigureBar {
  readonly name: string;
  /** From 0 to 1; null where it could not be measured. */
  readonly value: number | null;
  readonly ci: readonly [number, number] | null;
  readonly note: string;
}

const at = (value: number): number => 100 * Math.min(1, Math.max(0, value));

/** Figures between 0 and 1 as bars with their intervals, and in numbers. */
export function FigureBars({ title, rows }: { title: string; rows: readonly FigureBar[] }) {
  return (
    <table className="bars" aria-label={title}>
      <tbody>
        {rows.map(({ name, value, ci, note }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td className="bar-cell">
              <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                {value !== null && <rect className="bar-fill" width={at(value)} height="8" />}
                {value !== null && ci && (
                  <rect
                    className="bar-interval"
                    x={at(ci[0])}
                    y="3.5"
                    width={at(ci[1]) - at(ci[0])}
                    height="1"
                  />
                )}
              </svg>
            </td>
            <td className="number">
              {value === null ? "" : figure(value)}{" "}
              <span className="quiet">{ci ? `[${interval(ci)}]` : ""}</span>
            </td>
            <td className="number quiet">{note}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
