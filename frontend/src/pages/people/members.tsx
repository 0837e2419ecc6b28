import { useState } from "react";
import { post, remove } from "../../api/fetch";
import type { Role } from "../../api/types";
import { useAll, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { SelectField } from "../../ui/field";
import { Panel } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Member } from "../contract";

const ROLES: readonly { value: Role; label: string }[] = [
  { value: "admin", label: "admin: runs the project" },
  { value: "reader", label: "reader: reads exams, sees own readings" },
  { value: "adjudicator", label: "adjudicator: settles what readers say" },
  { value: "researcher", label: "researcher: snapshots, exports, models" },
];

const roleOf = (chosen: string): Role => ROLES.find(({ value }) => value === chosen)?.value ?? "reader";

/** The members of this project with their roles. */
export function Members() {
  const { project } = useHere();
  const members = useAll("memberships/", { project: project.id });
  const change = useDeed(async (deed: () => Promise<unknown>) => {
    await deed();
    members.reload();
  });
  const setRole = (user: string, role: Role) =>
    change.run(() => post("memberships/", { project: project.id, user, role }));
  const columns: readonly Column<Member>[] = [
    { key: "name", label: "Member", value: (row) => row.username },
    {
      key: "role",
      label: "Role",
      value: (row) => row.role,
      cell: (row) => <RoleSelect member={row} onChange={(role) => void setRole(row.user, role)} />,
    },
    {
      key: "end",
      label: "Leaves",
      bare: true,
      value: () => null,
      cell: (row) => (
        <Action busy={change.busy} onClick={() => void change.run(() => remove(`memberships/${row.id}/`))}>
          Remove
        </Action>
      ),
    },
  ];
  return (
    <Panel title={`Members of ${project.name}`}>
      <Problem error={members.error ?? change.error} />
      {members.data && (
        <Table
          name="Members"
          rows={members.data}
          columns={columns}
          rowKey={(row) => row.id}
          sortWord="members"
        />
      )}
      <AddMember known={members.data ?? []} onAdd={(user, role) => void setRole(user, role)} />
    </Panel>
  );
}

function RoleSelect({ member, onChange }: { member: Member; onChange: (role: Role) => void }) {
  return (
    <select
      className="inline-select"
      aria-label={`Role of ${member.username}`}
      value={member.role}
      onChange={(event) => onChange(roleOf(event.target.value))}
    >
      {ROLES.map(({ value }) => (
        <option key={value}>{value}</option>
      ))}
    </select>
  );
}

function AddMember({
  known,
  onAdd,
}: {
  known: readonly Member[];
  onAdd: (user: string, role: Role) => void;
}) {
  const users = useAll("users/");
  const others = (users.data ?? []).filter(
    (user) => user.is_active && !known.some((m) => m.user === user.id),
  );
  const [chosen, setChosen] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const user = others.some((o) => o.id === chosen) ? chosen : (others[0]?.id ?? "");
  return (
    <div className="form-row">
      <SelectField
        label="Account"
        value={user}
        onChange={setChosen}
        options={others.map((o) => ({ value: o.id, label: o.username }))}
      />
      <SelectField label="Role" value={role} onChange={(chosen) => setRole(roleOf(chosen))} options={ROLES} />
      <Action refused={user ? null : "Every account is a member."} onClick={() => onAdd(user, role)}>
        Add member
      </Action>
    </div>
  );
}
