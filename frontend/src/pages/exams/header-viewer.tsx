import { useMemo, useState } from "react";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";
import { headerRows, matching } from "./header";

/** What the stored file's header says, after de-identification. */
export function HeaderViewer({ image }: { image: string }) {
  const [open, setOpen] = useState(false);
  return (
    <Panel title="Header">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>What the file says, after de-identification</summary>
        {open && <Elements image={image} />}
      </details>
    </Panel>
  );
}

function Elements({ image }: { image: string }) {
  const [word, setWord] = useState("");
  const { data, error, reload } = useAnswer(`images/${image}/header/`);
  const rows = useMemo(() => (data ? headerRows(data) : []), [data]);
  return (
    <>
      <Problem error={error} onRetry={reload} />
      <TextField label="Find" type="search" value={word} onChange={setWord} />
      <div className="table-box">
        <table className="table header-table" aria-label="Header">
          <tbody>
            {matching(rows, word).map((row, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the same element may stand in several items
              <tr key={`${row.tag} ${i}`}>
                <td className={row.depth ? "header-inner" : undefined}>
                  <code>{row.tag}</code>
                </td>
                <td>{row.name}</td>
                <td className="quiet">{row.vr}</td>
                <td className="wrap-anywhere">{row.value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
