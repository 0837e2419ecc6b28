import { count } from "../format";

/** How often what was truly one class was called another: a row a truth, a column a call. Shares shade the cells. */
export function Confusion({
  labels,
  matrix,
}: {
  labels: readonly string[];
  matrix: readonly (readonly number[])[];
}) {
  return (
    <table className="confusion">
      <caption>Rows: what the readers said. Columns: what the model says.</caption>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">read as</span>
          </th>
          {labels.map((label) => (
            <th key={label} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {matrix.map((row, i) => {
          const all = row.reduce((sum, n) => sum + n, 0);
          return (
            <tr key={labels[i]}>
              <th scope="row">{labels[i]}</th>
              {row.map((n, j) => (
                <td
                  key={labels[j]}
                  className={`shade-${all ? Math.round((n / all) * 4) : 0}${i === j ? " agrees" : ""}`}
                >
                  {count(n)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
