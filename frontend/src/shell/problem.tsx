import { ApiError, NetworkError } from "../api/errors";
import { CopyButton } from "../ui/copy";

/** Fields that the server did not take, as lines: `name: This field may not be blank.` */
export function fieldLines(detail: unknown): string[] {
  const fields = (detail as { fields?: unknown } | null)?.fields;
  if (!fields || typeof fields !== "object") return [];
  if (Array.isArray(fields)) return fields.map(String);
  return Object.entries(fields).map(
    ([name, said]) => `${name}: ${Array.isArray(said) ? said.join(" ") : String(said)}`,
  );
}

/** Refusals that are how it should be, and no fault: who reads an exam reads it blind. */
const RULES = new Set(["learning.reads_blind"]);

/** What happened, what to do about it, and what to quote to somebody who can help. */
export function Problem({ error, onRetry }: { error: Error | null | undefined; onRetry?: () => void }) {
  if (!error) return null;
  const api = error instanceof ApiError ? error : null;
  if (api && RULES.has(api.code)) return <p className="quiet">{error.message}</p>;
  const cure = api?.cure ?? (error instanceof NetworkError ? "Nothing is lost: it is tried again." : null);
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{error.message}</strong>
      </p>
      {api && fieldLines(api.detail).map((line) => <p key={line}>{line}</p>)}
      {cure && <p>{cure}</p>}
      <p className="problem-id">
        {api && <code>{api.code}</code>}
        {api?.requestId && (
          <>
            <span>request {api.requestId}</span>
            <CopyButton text={`${api.code} ${api.requestId}`} label="Copy for support" />
          </>
        )}
        {onRetry && (
          <button type="button" className="button small" onClick={onRetry}>
            Try again
          </button>
        )}
      </p>
    </div>
  );
}
