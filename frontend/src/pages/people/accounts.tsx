import { useState } from "react";
import { patch, post } from "../../api/fetch";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Account } from "../contract";

/** All accounts of the installation; nobody registers alone. */
export function Accounts() {
  const { me } = useHere();
  const accounts = useList("users/", {});
  const change = useDeed(async (id: string, is_active: boolean) => {
    await patch(`users/${id}/`, { is_active });
    accounts.reload();
  });
  const columns: readonly Column<Account>[] = [
    { key: "name", label: "Account", value: (row) => row.username },
    { key: "site", label: "Looks after the site", value: (row) => (row.is_site_admin ? "yes" : "") },
    { key: "active", label: "May sign in", value: (row) => (row.is_active ? "yes" : "no") },
    {
      key: "last",
      label: "Last signed in",
      value: (row) => row.last_login,
      cell: (row) => <Ago at={row.last_login} />,
    },
    {
      key: "deed",
      label: "Close",
      bare: true,
      value: () => null,
      cell: (row) => (
        <Action
          busy={change.busy}
          refused={row.id === me.id ? "This is you." : null}
          onClick={() => void change.run(row.id, !row.is_active)}
        >
          {row.is_active ? "Close" : "Open again"}
        </Action>
      ),
    },
  ];
  return (
    <Panel title="Accounts">
      <Problem error={accounts.error ?? change.error} />
      {accounts.rows && (
        <Table
          name="Accounts"
          rows={accounts.rows}
          columns={columns}
          rowKey={(row) => row.id}
          sortWord="accounts"
          more={accounts.more}
        />
      )}
      <NewAccount onMade={accounts.reload} />
    </Panel>
  );
}

const NAME = /^[\w.@+-]{2,64}$/;
const LEAST = 10;

function NewAccount({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const make = useDeed(async () => {
    await post("users/", { username: name, password });
    setName("");
    setPassword("");
    onMade();
  });
  const nameError = name && !NAME.test(name) ? "2 to 64 letters, digits or . @ + - _" : null;
  const passwordError = password && password.length < LEAST ? `At least ${LEAST} characters.` : null;
  const refused =
    nameError ?? passwordError ?? (name && password ? null : "Give a name and a first password.");
  return (
    <>
      <div className="form-row">
        <TextField label="New account" value={name} onChange={setName} error={nameError} autoComplete="off" />
        <TextField
          label="First password"
          type="password"
          value={password}
          onChange={setPassword}
          error={passwordError}
          autoComplete="new-password"
        />
        <Action busy={make.busy} refused={refused} onClick={() => void make.run()}>
          Make account
        </Action>
      </div>
      <Problem error={make.error} />
    </>
  );
}
