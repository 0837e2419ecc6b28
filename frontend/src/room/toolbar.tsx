import type { Layout } from "../hanging/layouts";
import { chordLabel } from "../ui/keyboard";
import { chordFor, type Deed, type Tool } from "./keymap";

const MARK_TOOLS: readonly Tool[] = ["select", "box", "ellipse", "circle", "polygon"];
const PICTURE_TOOLS: readonly Tool[] = ["window", "zoom", "pan"];

type Props = {
  tool: Tool;
  layouts: readonly Layout[];
  layout: number;
  areMarksHidden: boolean;
  canUndo: boolean;
  canRedo: boolean;
  onDeed: (deed: Deed) => void;
  onLayout: (index: number) => void;
};

/** Tools and hangings with their keys. */
export function Toolbar({
  tool,
  layouts,
  layout,
  areMarksHidden,
  canUndo,
  canRedo,
  onDeed,
  onLayout,
}: Props) {
  const button = (deed: Deed, label: string, more: { isPressed?: boolean; isOff?: boolean } = {}) => (
    <button
      key={deed}
      type="button"
      className="tool"
      data-testid={deed.replace(":", "-")}
      aria-pressed={more.isPressed}
      disabled={more.isOff}
      onClick={() => onDeed(deed)}
    >
      {label} <kbd>{chordLabel(chordFor(deed))}</kbd>
    </button>
  );
  const tools = (names: readonly Tool[]) =>
    names.map((name) => button(`tool:${name}`, name, { isPressed: name === tool }));
  return (
    <nav className="toolbar" aria-label="Tools">
      <div className="toolbar-group">{tools(MARK_TOOLS)}</div>
      <div className="toolbar-group">
        {tools(PICTURE_TOOLS)}
        {button("invert", "invert")}
        {button("one-to-one", "1:1")}
        {button("fit", "fit")}
        {button("marks", "hide marks", { isPressed: areMarksHidden })}
      </div>
      <div className="toolbar-group">
        <span className="room-quiet">hang</span>
        {layouts.map((one, i) => (
          <button
            key={one.name}
            type="button"
            className="tool"
            data-testid={`hang-${one.name}`}
            aria-pressed={i === layout}
            onClick={() => onLayout(i)}
          >
            {one.name}
          </button>
        ))}
        <kbd>{chordLabel(chordFor("hang-next"))}</kbd>
      </div>
      <div className="toolbar-group toolbar-end">
        {button("undo", "undo", { isOff: !canUndo })}
        {button("redo", "redo", { isOff: !canRedo })}
      </div>
    </nav>
  );
}
