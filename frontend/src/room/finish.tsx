import type { Reading } from "./server";
import type { Finishing } from "./use-finish";

type Props = {
  reading: Reading;
  finish: Finishing;
  isMine: boolean;
  isLocked: boolean;
  lastCompleted: string | null;
  onNormal: () => void;
  onSkip: () => void;
  onFlag: () => void;
};

/** Skip, flag, normal, and the one large key. */
export function Finish({
  reading,
  finish,
  isMine,
  isLocked,
  lastCompleted,
  onNormal,
  onSkip,
  onFlag,
}: Props) {
  if (!isMine) {
    return (
      <p className="finish room-quiet">
        You see {reading.reader_name ?? "another reader"}'s reading; only they can change it.
      </p>
    );
  }
  if (reading.state === "complete") return <AfterCompletion reading={reading} finish={finish} />;
  const isAmending = reading.state === "amending";
  return (
    <div className="finish">
      {finish.problem && (
        <p className="finish-problem" role="alert">
          {finish.problem}
        </p>
      )}
      {lastCompleted && lastCompleted !== reading.id && !isAmending && (
        <button
          type="button"
          className="room-link"
          data-testid="back"
          onClick={() => void finish.amend(lastCompleted)}
        >
          Back to the exam just completed
        </button>
      )}
      <div className="room-row">
        {isAmending ? (
          <button type="button" className="room-button" onClick={() => void finish.discard()}>
            Discard the amendment
          </button>
        ) : (
          <button
            type="button"
            className="room-button"
            data-testid="skip"
            disabled={isLocked}
            onClick={onSkip}
          >
            Skip…
          </button>
        )}
        <button type="button" className="room-button" data-testid="flag" onClick={onFlag}>
          Flag…
        </button>
        <button
          type="button"
          className="room-button finish-normal"
          data-testid="normal"
          title="Normal, both breasts (N)"
          disabled={isLocked}
          onClick={onNormal}
        >
          <kbd>N</kbd> normal
        </button>
      </div>
      <button
        type="button"
        className="finish-key"
        data-testid="complete"
        disabled={isLocked || finish.isBusy}
        onClick={() => void finish.complete()}
      >
        Complete and next <kbd>Enter</kbd>
      </button>
    </div>
  );
}

function AfterCompletion({ reading, finish }: { reading: Reading; finish: Finishing }) {
  return (
    <div className="finish">
      {finish.problem && (
        <p className="finish-problem" role="alert">
          {finish.problem}
        </p>
      )}
      <p className="room-quiet">
        This reading is complete. What was completed stays valid until an amendment is.
      </p>
      <div className="room-row">
        <button
          type="button"
          className="room-button"
          data-testid="amend"
          onClick={() => void finish.amend(reading.id)}
        >
          Amend
        </button>
      </div>
      <button
        type="button"
        className="finish-key"
        data-testid="next"
        disabled={finish.isBusy}
        onClick={() => void finish.next()}
      >
        Next exam <kbd>Enter</kbd>
      </button>
    </div>
  );
}
