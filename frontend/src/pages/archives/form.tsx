import { type FormEvent, useState } from "react";
import { patch, post } from "../../api/fetch";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { Action } from "../../ui/action";
import { TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";
import type { Archive } from "../contract";

interface Props {
  readonly archive?: Archive;
  readonly onSaved: () => void;
  readonly onClose: () => void;
}

/** What is wrong with an address, if anything. Pure. */
export function addressError(text: string): string | null {
  return /^https?:\/\/[^\s/]+(\/\S*)?$/.test(text) ? null : "Begins with https:// or http://, then the host.";
}

/** Networks as they are typed: one a line or with commas. Pure. */
export function networksOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** What is wrong with a time to wait, if anything. Pure. */
export function secondsError(text: string): string | null {
  const seconds = Number(text);
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= 600 ? null : "A whole number from 1 to 600.";
}

/** Enter or change an archive. The password goes in and never comes out. */
export function ArchiveForm({ archive, onSaved, onClose }: Props) {
  const [name, setName] = useState(archive?.name ?? "");
  const [url, setUrl] = useState(archive?.url ?? "");
  const [username, setUsername] = useState(archive?.username ?? "");
  const [password, setPassword] = useState("");
  const [networks, setNetworks] = useState(archive?.networks.join(", ") ?? "");
  const [seconds, setSeconds] = useState(String(archive?.timeout_seconds ?? 30));
  const save = useDeed(async () => {
    const given = {
      name,
      url,
      username,
      networks: networksOf(networks),
      timeout_seconds: Number(seconds),
      ...(password ? { password } : {}),
    };
    await (archive ? patch(`archives/${archive.id}/`, given) : post("archives/", given));
    onSaved();
  });
  const urlError = url ? addressError(url) : null;
  const refused = !name.trim() ? "Give it a name." : (addressError(url) ?? secondsError(seconds));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!refused) void save.run();
  };
  const moved = archive?.has_password && url !== archive.url;
  return (
    <Panel title={archive ? "Change this archive" : "Add an archive"}>
      <form className="form" onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} autoComplete="off" />
        <TextField
          label="DICOMweb address"
          value={url}
          onChange={setUrl}
          error={urlError}
          placeholder="https://pacs.example.org/dicom-web"
          hint="The root of its DICOMweb service, as its administrator names it."
        />
        <TextField label="User name" value={username} onChange={setUsername} autoComplete="off" />
        <TextField
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="new-password"
          hint={
            moved
              ? "A new address forgets the old password: enter it again."
              : archive
                ? "Empty: as it is."
                : "Kept encrypted; never shown again."
          }
        />
        <TextField
          label="Networks that the address may lie in"
          value={networks}
          onChange={setNetworks}
          placeholder="10.1.0.0/16"
          hint="Only for an archive in a local network; empty allows public addresses alone."
        />
        <TextField
          label="Give up after (seconds)"
          value={seconds}
          onChange={setSeconds}
          error={secondsError(seconds)}
          hint="How long it may take to answer. A slow archive needs more; 600 at most."
        />
        <Problem error={save.error} />
        <div className="form-row">
          <Action submit kind="primary" busy={save.busy} refused={refused}>
            Save
          </Action>
          <Action onClick={onClose}>Leave it</Action>
        </div>
      </form>
    </Panel>
  );
}
