import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { signIn } from "../api/session";
import { chordLabel } from "../ui/keyboard";
import { KEYS } from "./keymap";

/** A box over the room that keeps the focus; Escape closes it where it may be closed. */
export function RoomDialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose?: () => void;
  children: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      className="room-dialog"
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}

/** The map of keys, from the same data that the keys themselves work by. */
export function KeysDialog({ onClose }: { onClose: () => void }) {
  const groups = [...new Set(KEYS.map((binding) => binding.group))];
  return (
    <RoomDialog title="Keys" onClose={onClose}>
      <div className="keys" data-testid="keys">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {KEYS.filter((binding) => binding.group === group).map((binding) => (
                <div key={binding.chord}>
                  <dt>
                    <kbd>{chordLabel(binding.chord)}</kbd>
                  </dt>
                  <dd>{binding.label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className="room-quiet">
        Wheel: zoom. Right button: window. Middle button: pan. Shift while drawing: a second mark of the same
        finding in this view.
      </p>
      <button type="button" className="room-button" onClick={onClose}>
        Close
      </button>
    </RoomDialog>
  );
}

/** The session ended in the middle of a reading: sign in here, and everything goes on. */
export function SignInDialog({ username, onSignedIn }: { username: string; onSignedIn: () => void }) {
  const [name, setName] = useState(username);
  const [password, setPassword] = useState("");
  const [error, setError] = useState<string | null>(null);
  const secret = useRef<HTMLInputElement>(null);
  // After the box has opened, which gives the focus to its first field: the name is known mostly.
  useEffect(() => {
    if (username) secret.current?.focus();
  }, [username]);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await signIn(name, password);
      onSignedIn();
    } catch (reason) {
      setError(reason instanceof Error ? reason.message : String(reason));
    }
  };
  return (
    <RoomDialog title="Sign in to go on">
      <p>Your session ended. Nothing is lost: what was not sent is kept in this browser.</p>
      <form onSubmit={submit} className="room-form">
        <label>
          User name
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            autoComplete="username"
            required
          />
        </label>
        <label>
          Password
          <input
            ref={secret}
            type="password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
            autoComplete="current-password"
            required
          />
        </label>
        {error && <p role="alert">{error}</p>}
        <button type="submit" className="room-button room-primary">
          Sign in
        </button>
      </form>
    </RoomDialog>
  );
}

type ReasonProps = {
  title: string;
  action: string;
  onGiven: (reason: string) => Promise<void>;
  onClose: () => void;
};

/** Why: for skipping an exam and for flagging it. */
export function ReasonDialog({ title, action, onGiven, onClose }: ReasonProps) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onGiven(reason).catch((caught: unknown) =>
      setError(caught instanceof Error ? caught.message : String(caught)),
    );
  };
  return (
    <RoomDialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="room-form">
        <label>
          Why? Nothing that identifies the patient.
          <textarea
            value={reason}
            rows={3}
            maxLength={500}
            required
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        {error && <p role="alert">{error}</p>}
        <div className="room-row">
          <button type="submit" className="room-button room-primary" disabled={!reason.trim()}>
            {action}
          </button>
          <button type="button" className="room-button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </RoomDialog>
  );
}
