import { count, percent, words } from "../format";

/** Counts by name as bars with their numbers; `of` is the whole that shares are taken of. */
export function Bars({
  rows,
  of,
  title,
}: {
  rows: readonly (readonly [string, number])[];
  of?: number;
  title: string;
}) {
  const most = Math.max(1, ...rows.map(([, n]) => n));
  if (rows.length === 0) return <p className="quiet">None.</p>;
  return (
    <table className="bars" aria-label={title}>
      <tbody>
        {rows.map(([name, n]) => (
          <tr key={name}>
            <th scope="row">{words(name)}</th>
            <td className="bar-cell">
              <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <rect className="bar-fill" width={(100 * n) / most} height="8" />
              </svg>
            </td>
            <td className="number">{count(n)}</td>
            {of !== undefined && <td className="number quiet">{percent(of ? n / of : null)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
