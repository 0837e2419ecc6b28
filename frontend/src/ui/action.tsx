import { type ReactNode, useId } from "react";

interface Props {
  readonly onClick?: () => void;
  readonly children: ReactNode;
  /** Why it cannot be done now; the button stays visible with this beside it. */
  readonly refused?: string | null | undefined;
  readonly busy?: boolean;
  readonly kind?: "plain" | "primary" | "danger";
  readonly submit?: boolean;
}

/** A button that, where it is refused, stays and says why. */
export function Action({ onClick, children, refused, busy = false, kind = "plain", submit = false }: Props) {
  const id = useId();
  const button = (
    <button
      type={submit ? "submit" : "button"}
      className={`button ${kind}`}
      // Not `disabled`: a refused button keeps its place in the order of focus, so its reason can be heard.
      aria-disabled={Boolean(refused) || busy || undefined}
      aria-describedby={refused ? id : undefined}
      onClick={(event) => {
        if (refused || busy) event.preventDefault();
        else onClick?.();
      }}
    >
      {busy ? "Working…" : children}
    </button>
  );
  if (!refused) return button;
  return (
    <span className="refused">
      {button}
      <span id={id} className="reason">
        {refused}
      </span>
    </span>
  );
}
