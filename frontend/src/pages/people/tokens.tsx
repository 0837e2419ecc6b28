import { useState } from "react";
import { post, remove } from "../../api/fetch";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { Snippet } from "../../ui/copy";
import { SelectField, TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { TokenRow } from "../contract";

/** Bearer tokens for programs; a secret is shown once. */
export function Tokens() {
  const { me } = useHere();
  const tokens = useList("tokens/", {});
  const end = useDeed(async (id: string) => {
    await remove(`tokens/${id}/`);
    tokens.reload();
  });
  const columns: readonly Column<TokenRow>[] = [
    { key: "name", label: "Token", value: (row) => row.name || "unnamed" },
    ...(me.is_site_admin ? [{ key: "user", label: "Account", value: (row: TokenRow) => row.username }] : []),
    { key: "scope", label: "May", value: (row) => (row.scope === "read" ? "read" : "read and write") },
    {
      key: "used",
      label: "Last used",
      value: (row) => row.last_used_at,
      cell: (row) => <Ago at={row.last_used_at} />,
    },
    { key: "ends", label: "Ends", value: (row) => row.ends_at, cell: (row) => <Ago at={row.ends_at} /> },
    {
      key: "revoke",
      label: "Ends early",
      bare: true,
      value: () => null,
      cell: (row) =>
        row.revoked_at ? (
          <span className="quiet">
            revoked <Ago at={row.revoked_at} />
          </span>
        ) : (
          <Action busy={end.busy} onClick={() => void end.run(row.id)}>
            Revoke
          </Action>
        ),
    },
  ];
  return (
    <Panel title="Tokens for programs">
      <Problem error={tokens.error ?? end.error} />
      {tokens.rows && (
        <Table
          name="Tokens"
          rows={tokens.rows}
          columns={columns}
          rowKey={(row) => row.id}
          sortWord="tokens"
          more={tokens.more}
          empty={<p className="quiet">No token yet. A program signs in with one: Authorization: Bearer …</p>}
        />
      )}
      <NewToken onMade={tokens.reload} />
    </Panel>
  );
}

function NewToken({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<TokenRow["scope"]>("write");
  const [days, setDays] = useState("30");
  const [secret, setSecret] = useState<string | null>(null);
  const daysError = Number(days) > 0 && Number(days) <= 3650 ? null : "Between 1 and 3650.";
  const make = useDeed(async () => {
    const made = await post("tokens/", { name, scope, days: Number(days) });
    setSecret(made.secret);
    setName("");
    onMade();
  });
  return (
    <>
      <div className="form-row">
        <TextField label="What is it for?" value={name} onChange={setName} autoComplete="off" />
        <SelectField
          label="May"
          value={scope}
          onChange={(chosen) => setScope(chosen === "read" ? "read" : "write")}
          options={[
            { value: "write", label: "read and write" },
            { value: "read", label: "only read" },
          ]}
        />
        <TextField label="Days" type="number" value={days} onChange={setDays} error={daysError} />
        <Action busy={make.busy} refused={daysError} onClick={() => void make.run()}>
          Make token
        </Action>
      </div>
      <Problem error={make.error} />
      {secret && <Snippet label="Shown once: copy it now. It is not kept anywhere." text={secret} />}
    </>
  );
}
