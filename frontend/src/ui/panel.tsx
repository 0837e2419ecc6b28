import type { ReactNode } from "react";

/** A part of a page with its small heading. */
export function Panel({
  title,
  aside,
  children,
  className = "",
}: {
  title?: string;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`panel ${className}`} {...(title ? { "aria-label": title } : {})}>
      {(title || aside) && (
        <header className="panel-head">
          {title && <h2>{title}</h2>}
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

/** The head of a page: its name, a line about it, and what can be done at the right. */
export function PageHead({
  title,
  about,
  children,
}: {
  title: ReactNode;
  about?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <header className="page-head">
      <h1>{title}</h1>
      {about && <div className="page-about">{about}</div>}
      {children && <div className="page-actions">{children}</div>}
    </header>
  );
}

export type Fact = readonly [name: string, value: ReactNode] | null | false;

/** Names and values, one line each; what is null or false is left out. */
export function Facts({ rows }: { rows: readonly Fact[] }) {
  return (
    <dl className="facts">
      {rows.map(
        (row) =>
          row && (
            <div key={row[0]}>
              <dt>{row[0]}</dt>
              <dd>{row[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** What stands on an empty page: what will be here, and the step that fills it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children && <div className="quiet">{children}</div>}
    </div>
  );
}

/** A word for a state; the colour only repeats what the word says. */
export function State({ of }: { of: string }) {
  return <span className={`state state-${of}`}>{of}</span>;
}
