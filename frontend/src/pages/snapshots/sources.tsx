import { CopyButton } from "../../ui/copy";
import { Facts, Panel } from "../../ui/panel";
import type { Snapshot } from "../contract";

/** Where the images came from, under which licence, and how to cite them. */
export function Sources({ snapshot }: { snapshot: Snapshot }) {
  return (
    <Panel title="Sources">
      {snapshot.sources.length === 0 && (
        <p className="quiet">Exams of this project's own; no published data set.</p>
      )}
      {snapshot.sources.map((source) => (
        <div key={source.name ?? source.citation} className="source">
          <Facts
            rows={[
              source.name ? ["data set", source.name] : null,
              source.licence ? ["licence", source.licence] : null,
              source.citation ? ["cite", source.citation] : null,
            ]}
          />
          {source.citation && <CopyButton text={source.citation} label="Copy citation" />}
        </div>
      ))}
    </Panel>
  );
}
