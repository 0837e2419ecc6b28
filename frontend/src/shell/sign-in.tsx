import { type FormEvent, useState } from "react";
import { signIn } from "../api/session";
import { Action } from "../ui/action";
import { TextField } from "../ui/field";
import { useDeed } from "./data";
import { Problem } from "./problem";

/** Name and password. What the address named opens after it. */
export function SignIn() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const enter = useDeed(() => signIn(name, password));
  function submit(event: FormEvent) {
    event.preventDefault();
    void enter.run();
  }
  return (
    <main className="sign-in">
      <form onSubmit={submit} aria-labelledby="sign-in-title">
        <h1 id="sign-in-title">MammoLoop</h1>
        <p className="quiet">Read mammograms, train, rank, read what matters next.</p>
        <TextField
          label="User name"
          value={name}
          onChange={setName}
          autoComplete="username"
          required
          autoFocus
        />
        <TextField
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="current-password"
          required
        />
        <Problem error={enter.error} />
        <Action submit kind="primary" busy={enter.busy}>
          Sign in
        </Action>
      </form>
      <ResearchOnly />
    </main>
  );
}

/** What this is not. */
export function ResearchOnly() {
  return (
    <footer className="research-only">
      For research. Not a medical device: nothing here may decide about a patient's care.
    </footer>
  );
}
