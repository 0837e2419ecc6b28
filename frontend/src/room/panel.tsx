import { type ReactNode, useEffect, useRef, useState } from "react";
import type { ExamImage } from "../api/types";
import {
  BIRADS,
  type Birads,
  DENSITIES,
  type Density,
  FINDING_NAMES,
  FINDING_TYPES,
  type FindingRow,
  type FindingType,
  findingRows,
  lengthPxOf,
  type ReadingDocument,
  SIDES,
  type Side,
} from "../reading/document";
import { setBirads, setComment, setDensity, setFinding } from "../reading/edits";
import type { Patch } from "../reading/patch";
import { chordLabel } from "../ui/keyboard";
import { hintsFor, SIDE_NAMES } from "./checks";
import type { Selection } from "./deeds";
import { chordFor } from "./keymap";
import { mmPerPxOf } from "./spacing";

type PanelProps = {
  document: ReadingDocument;
  images: readonly ExamImage[];
  selection: Selection | null;
  nextType: FindingType;
  isLocked: boolean;
  edit: (patch: Patch) => void;
  onSelect: (selection: Selection | null) => void;
  onType: (type: FindingType) => void;
  onRemove: () => void;
  /** What stands above the answers. */
  above?: ReactNode;
  children: ReactNode;
};

/** The answers: breasts, findings, comment, what to look at before finishing. */
export function Panel(props: PanelProps) {
  const { document, images, isLocked, edit } = props;
  const hints = hintsFor(document, images);
  return (
    <aside className="answers" aria-label="Answers">
      {props.above}
      <fieldset disabled={isLocked} className="panel-answers">
        <Breasts document={document} edit={edit} />
        <Findings {...props} />
        <Comment document={document} edit={edit} />
      </fieldset>
      <section>
        <h2>Before you finish</h2>
        {hints.length ? (
          <ul className="panel-hints" data-testid="hints">
            {hints.map((hint) => (
              <li key={hint}>{hint}</li>
            ))}
          </ul>
        ) : (
          <p className="room-quiet">Nothing is missing.</p>
        )}
      </section>
      {props.children}
    </aside>
  );
}

type BreastsProps = { document: ReadingDocument; edit: (patch: Patch) => void };

function Breasts({ document, edit }: BreastsProps) {
  return (
    <section>
      <h2>Breasts</h2>
      <div className="breasts">
        {SIDES.map((side) => (
          <span key={side}>{side === "R" ? "Right" : "Left"}</span>
        ))}
        <span className="breasts-what">density</span>
        {SIDES.map((side) => (
          <Choice
            key={side}
            name={`density-${side}`}
            label={`density, ${SIDE_NAMES[side]}`}
            options={DENSITIES}
            value={document.breasts[side].density}
            onChange={(value: Density | null) => edit(setDensity(document, side, value))}
          />
        ))}
        <span className="breasts-what">BI-RADS</span>
        {SIDES.map((side) => (
          <BiradsChoice key={side} side={side} document={document} edit={edit} />
        ))}
      </div>
    </section>
  );
}

const COARSE: readonly Birads[] = ["0", "1", "2", "3", "4", "5", "6"];
const FINE: readonly Birads[] = ["4A", "4B", "4C"];

function BiradsChoice({ side, document, edit }: BreastsProps & { side: Side }) {
  const value = document.breasts[side].birads;
  const choose = (next: Birads | null) => edit(setBirads(document, side, next));
  return (
    <div className="birads">
      <Choice
        name={`birads-${side}`}
        label={`BI-RADS, ${SIDE_NAMES[side]}`}
        options={COARSE}
        value={value?.startsWith("4") ? "4" : value}
        onChange={choose}
      />
      {value?.startsWith("4") && (
        <Choice
          name={`birads4-${side}`}
          label={`how suspicious, ${SIDE_NAMES[side]}`}
          options={FINE}
          value={value}
          onChange={(next) => choose(next ?? "4")}
        />
      )}
    </div>
  );
}

type ChoiceProps<T extends string> = {
  name: string;
  label: string;
  options: readonly T[];
  value: T | null;
  onChange: (value: T | null) => void;
};

/** One of a few; a second press takes it back. */
function Choice<T extends string>({ name, label, options, value, onChange }: ChoiceProps<T>) {
  return (
    <fieldset className="pick" aria-label={label} data-testid={name}>
      {options.map((option) => (
        <button
          key={option}
          type="button"
          aria-pressed={option === value}
          data-testid={`${name}-${option}`}
          onClick={() => onChange(option === value ? null : option)}
        >
          {option}
        </button>
      ))}
    </fieldset>
  );
}

function Findings({ document, images, selection, nextType, edit, onSelect, onType, onRemove }: PanelProps) {
  const rows = findingRows(document);
  const chosen = selection ? document.findings[selection.findingId]?.type : nextType;
  return (
    <section>
      <h2>Findings</h2>
      <ol className="findings">
        {rows.map((row) => (
          <FindingItem
            key={row.id}
            row={row}
            images={images}
            isSelected={row.id === selection?.findingId}
            onSelect={() =>
              onSelect({ findingId: row.id, markId: Object.keys(row.finding.marks)[0] ?? null })
            }
            onBirads={(value) => edit(setFinding(document, row.id, "birads", value))}
            onRemove={onRemove}
          />
        ))}
      </ol>
      {!rows.length && <p className="room-quiet">None yet: take box, ellipse, circle or polygon and draw.</p>}
      <fieldset
        className="types"
        aria-label={selection ? "type of the selected finding" : "type of the next finding"}
      >
        {FINDING_TYPES.map((type) => (
          <button
            key={type}
            type="button"
            aria-pressed={type === chosen}
            data-testid={`type-${type}`}
            title={FINDING_NAMES[type]}
            onClick={() => onType(type)}
          >
            <kbd>{chordFor(`type:${type}`)}</kbd> {SHORT_NAMES[type]}
          </button>
        ))}
      </fieldset>
    </section>
  );
}

const SHORT_NAMES: Readonly<Record<FindingType, string>> = {
  mass: "mass",
  calcification: "calc.",
  asymmetry: "asym.",
  architectural_distortion: "distort.",
};

type ItemProps = {
  row: FindingRow;
  images: readonly ExamImage[];
  isSelected: boolean;
  onSelect: () => void;
  onBirads: (value: Birads | null) => void;
  onRemove: () => void;
};

function FindingItem({ row, images, isSelected, onSelect, onBirads, onRemove }: ItemProps) {
  const { finding, number } = row;
  const side = finding.laterality ? `, ${SIDE_NAMES[finding.laterality]}` : "";
  return (
    <li
      className={isSelected ? "finding finding-selected" : "finding"}
      data-testid="finding"
      data-finding={row.id}
    >
      <button type="button" className="finding-name" aria-pressed={isSelected} onClick={onSelect}>
        <strong>{number}</strong> {FINDING_NAMES[finding.type]}
        {side}
        {finding.birads && <span className="finding-birads">{finding.birads}</span>}
      </button>
      <p className="finding-views">{viewsOf(row, images)}</p>
      {isSelected && (
        <div className="finding-more">
          <label>
            BI-RADS{" "}
            <select
              value={finding.birads ?? ""}
              data-testid="finding-birads"
              onChange={(event) => {
                onBirads((event.target.value || null) as Birads | null);
                event.target.blur(); // the keys are the room's again
              }}
            >
              <option value="">none</option>
              {BIRADS.map((option) => (
                <option key={option}>{option}</option>
              ))}
            </select>
          </label>
          <button
            type="button"
            className="room-link"
            title={`Remove the finding or its selected mark (${chordLabel(chordFor("remove"))})`}
            onClick={onRemove}
          >
            Remove
          </button>
        </div>
      )}
    </li>
  );
}

/** `CC not marked · MLO marked · 12 mm`. */
function viewsOf({ finding }: FindingRow, images: readonly ExamImage[]): ReactNode {
  const marks = Object.values(finding.marks);
  const relevant = images.filter(
    (image) => image.laterality === finding.laterality || marks.some((mark) => mark.image_id === image.id),
  );
  return relevant.map((image, i) => {
    const mark = marks.find((one) => one.image_id === image.id);
    const mmPerPx = mmPerPxOf(image);
    const mm = mark && mmPerPx ? ` · ${Math.round(lengthPxOf(mark) * mmPerPx)} mm` : "";
    return (
      <span key={image.id}>
        {i > 0 && " · "}
        {image.view || "image"} {mark ? <b>marked</b> : "not marked"}
        {mm}
      </span>
    );
  });
}

const TYPING_PAUSE_MS = 700;

/** Sent when typing pauses or the field is left; until then what is typed is only here. */
function Comment({ document, edit }: BreastsProps) {
  const [text, setText] = useState(document.comment);
  const [saved, setSaved] = useState(document.comment);
  const latest = useRef({ document, edit, text });
  latest.current = { document, edit, text };
  if (document.comment !== saved) {
    setSaved(document.comment);
    setText(document.comment);
  }

  const send = () => {
    const now = latest.current;
    if (now.text === now.document.comment) return;
    setSaved(now.text);
    now.edit(setComment(now.document, now.text));
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: each letter starts the pause again
  useEffect(() => {
    const timer = setTimeout(send, TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);

  return (
    <section>
      <h2>
        <label htmlFor="comment">Comment</label>
      </h2>
      <textarea
        id="comment"
        data-testid="comment"
        rows={2}
        placeholder="none"
        maxLength={10_000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={send}
      />
    </section>
  );
}
