import type { KeyboardEvent, ReactNode } from "react";
import { Link, navigate } from "../../router";
import { useAddress } from "../address";
import { CopyButton } from "../copy";
import { type Cell, toCsv } from "../csv";
import { counted } from "../format";
import { parseSort, type Sort, sorted, sortText, turned } from "./sorting";

export interface Column<R> {
  readonly key: string;
  readonly label: string;
  /** What is sorted by and copied. */
  readonly value: (row: R) => Cell;
  /** What is shown; without it the value. */
  readonly cell?: (row: R) => ReactNode;
  readonly number?: boolean;
  /** Pictures and buttons: nothing to sort by or to copy. */
  readonly bare?: boolean;
}

interface Props<R> {
  readonly name: string;
  readonly rows: readonly R[];
  readonly columns: readonly Column<R>[];
  readonly rowKey: (row: R) => string;
  readonly href?: (row: R) => string | null;
  readonly empty?: ReactNode;
  /** Fetches the next rows; absent when all are here. */
  readonly more?: (() => void) | null;
  /** The word in the address that keeps the order; two tables on a page need two. */
  readonly sortWord?: string;
  readonly tools?: ReactNode;
}

/** A table: sorted by its heads, walked with the arrow keys, opened with Enter, copied as CSV. */
export function Table<R>({
  name,
  rows,
  columns,
  rowKey,
  href,
  empty,
  more,
  sortWord = "sort",
  tools,
}: Props<R>) {
  const { query, change } = useAddress();
  const sort = parseSort(query.get(sortWord));
  const column = columns.find((c) => c.key === sort?.key);
  const shown = column && sort ? sorted(rows, column.value, sort.down) : rows;
  if (rows.length === 0) return <>{empty ?? <p className="quiet">Nothing here.</p>}</>;
  const copied = columns.filter((column) => !column.bare);
  const csv = () =>
    toCsv(
      copied.map((c) => c.label),
      shown.map((row) => copied.map((c) => c.value(row))),
    );
  return (
    <div className="table-box">
      <table className="table" aria-label={name}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head
                key={column.key}
                column={column}
                sort={sort}
                onSort={() => change({ [sortWord]: sortText(turned(sort, column.key)) })}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <Row key={rowKey(row)} row={row} columns={columns} href={href?.(row) ?? null} />
          ))}
        </tbody>
      </table>
      <footer className="table-foot">
        <span className="quiet">
          {counted(rows.length, "row")}
          {more ? " so far" : ""}
        </span>
        {more && (
          <button type="button" className="button small" onClick={more}>
            Show more
          </button>
        )}
        <CopyButton text={csv} label="Copy as CSV" />
        {tools}
      </footer>
    </div>
  );
}

function Head<R>({ column, sort, onSort }: { column: Column<R>; sort: Sort | null; onSort: () => void }) {
  const on = sort?.key === column.key;
  const order = on ? (sort.down ? "descending" : "ascending") : undefined;
  return (
    <th scope="col" className={column.number ? "number" : undefined} aria-sort={order}>
      {column.bare ? (
        column.label
      ) : (
        <button type="button" className="sort" onClick={onSort}>
          {column.label}
          <span aria-hidden="true">{on ? (sort.down ? " ↓" : " ↑") : ""}</span>
        </button>
      )}
    </th>
  );
}

/** The link that a row opens is in its first column that is no picture; the whole row is its target. */
function Row<R>({ row, columns, href }: { row: R; columns: readonly Column<R>[]; href: string | null }) {
  const first = columns.findIndex((column) => !column.bare);
  return (
    <tr
      className={href ? "opens" : undefined}
      onKeyDown={href ? walk : undefined}
      onClick={href ? (event) => opensRow(event.target) && navigate(href) : undefined}
    >
      {columns.map((column, i) => {
        const shown = column.cell ? column.cell(row) : (column.value(row) ?? "—");
        return (
          <td key={column.key} className={column.number ? "number" : undefined}>
            {href && i === first ? (
              <Link href={href} className="row-link">
                {shown}
              </Link>
            ) : (
              shown
            )}
          </td>
        );
      })}
    </tr>
  );
}

/** A click beside the links and buttons of a row opens the row; selecting text in it does not. */
function opensRow(target: EventTarget): boolean {
  return (
    !(target as Element).closest("a, button, input, label, select, summary") &&
    !window.getSelection()?.toString()
  );
}

function walk(event: KeyboardEvent<HTMLTableRowElement>): void {
  const down = event.key === "ArrowDown";
  if (!down && event.key !== "ArrowUp") return;
  const row = event.currentTarget;
  const next = down ? row.nextElementSibling : row.previousElementSibling;
  const link = next?.querySelector<HTMLElement>(".row-link");
  if (!link) return;
  event.preventDefault();
  link.focus();
}
