import { useRef, useState } from "react";

/** Put text on the clipboard; a page that is not served safely has no clipboard API, so the old way is the fallback. */
export async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // The browser asked the person and was refused, or the page lost the focus: try the old way.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** A button that copies and says so for a moment. */
export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [said, setSaid] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  async function copy() {
    const done = await copyText(typeof text === "string" ? text : text());
    setSaid(done ? "Copied" : "Could not copy");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(null), 2000);
  }
  return (
    <button type="button" className="button small" onClick={copy} aria-live="polite">
      {said ?? label}
    </button>
  );
}

/** A command or another text to take along, with its copy button. */
export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="snippet">
      <div className="snippet-text">
        <p className="hint">{label}</p>
        <pre>{text}</pre>
      </div>
      <CopyButton text={text} />
    </div>
  );
}
