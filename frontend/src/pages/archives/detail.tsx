import { useState } from "react";
import { remove } from "../../api/fetch";
import { navigate, type PageProps } from "../../router";
import { useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { Action } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { PageHead } from "../../ui/panel";
import type { Archive } from "../contract";
import { ArchiveForm } from "./form";
import { Echo } from "./page";
import { Search } from "./search";

/** One archive: try it, search it, pull from it, change it. */
export default function ArchivePage({ params }: PageProps) {
  const { data, error, reload } = useAnswer(`archives/${params.id}/`);
  const [changing, setChanging] = useState(false);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && (
        <>
          <PageHead title={data.name} about={data.url}>
            <Echo archive={data} />
            <Action onClick={() => setChanging(!changing)}>Change…</Action>
            <Forget archive={data} />
          </PageHead>
          {changing && (
            <ArchiveForm
              archive={data}
              onClose={() => setChanging(false)}
              onSaved={() => {
                setChanging(false);
                reload();
              }}
            />
          )}
          <Search archive={data} />
        </>
      )}
    </main>
  );
}

function Forget({ archive }: { archive: Archive }) {
  const [asking, setAsking] = useState(false);
  const end = useDeed(async () => {
    await remove(`archives/${archive.id}/`);
    navigate("/archives");
  });
  return (
    <>
      <Action kind="danger" onClick={() => setAsking(true)}>
        Forget…
      </Action>
      {asking && (
        <Dialog title={`Forget ${archive.name}?`} onClose={() => setAsking(false)}>
          <p>
            The address and the password are removed here. What was pulled from it stays; the archive is not
            touched.
          </p>
          <Problem error={end.error} />
          <div className="dialog-keys">
            <Action onClick={() => setAsking(false)}>Leave it</Action>
            <Action kind="danger" busy={end.busy} onClick={() => void end.run()}>
              Forget it
            </Action>
          </div>
        </Dialog>
      )}
    </>
  );
}
