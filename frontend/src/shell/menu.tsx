import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";

/** A button that opens a short list of links and deeds; Escape or a click elsewhere closes it. */
export function Menu({ label, children }: { label: ReactNode; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => !box.current?.contains(event.target as Node) && setOpen(false);
    document.addEventListener("pointerdown", away);
    document.addEventListener("focusin", away);
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("focusin", away);
    };
  }, [open]);
  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "Escape" || !open) return;
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only listens to Escape of what is inside
    <div className="menu" ref={box} onKeyDown={onKeyDown}>
      <button type="button" className="menu-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {label} <span aria-hidden="true">▾</span>
      </button>
      {open && (
        // biome-ignore lint/a11y/noStaticElementInteractions: whatever is chosen inside closes the list
        // biome-ignore lint/a11y/useKeyWithClickEvents: a key on a link or a button inside is a click
        <div className="menu-list" onClick={() => setOpen(false)}>
          {children}
        </div>
      )}
    </div>
  );
}
