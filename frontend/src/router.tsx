import {
  type AnchorHTMLAttributes,
  type ComponentType,
  type LazyExoticComponent,
  lazy,
  type MouseEvent,
  useSyncExternalStore,
} from "react";

/** Values of the `:name` parts of a route's path. */
export type Params = Readonly<Record<string, string>>;
export type PageProps = { params: Params };

/** A page: its address, how its code is fetched, and whether it stands without the bar (`bare`). */
export type Route = {
  path: string;
  load: () => Promise<{ default: ComponentType<PageProps> }>;
  bare?: boolean;
};

/** The params of a path that matches the pattern, or null. `/runs/:id` matches `/runs/7` and `/runs/7/`. */
export function matchPath(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i] as string;
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return params;
}

/** The first route that matches wins: put `/exams/new` before `/exams/:id`. */
export function findRoute(routes: readonly Route[], path: string): { route: Route; params: Params } | null {
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (params) return { route, params };
  }
  return null;
}

const lazyPages = new Map<Route, LazyExoticComponent<ComponentType<PageProps>>>();

/** The route's component, fetched at its first showing; the same object each time, so that React keeps its state. */
export function pageOf(route: Route): LazyExoticComponent<ComponentType<PageProps>> {
  const known = lazyPages.get(route);
  if (known) return known;
  const page = lazy(route.load);
  lazyPages.set(route, page);
  return page;
}

const moved = new EventTarget();

/** Go to an address of ours. `replace` leaves no entry in the history. */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  moved.dispatchEvent(new Event("moved"));
}

function onMove(listener: () => void): () => void {
  moved.addEventListener("moved", listener);
  window.addEventListener("popstate", listener);
  return () => {
    moved.removeEventListener("moved", listener);
    window.removeEventListener("popstate", listener);
  };
}

/** The current path, without the query. */
export const usePath = (): string => useSyncExternalStore(onMove, () => window.location.pathname);

/** The current query; change it with `navigate`. */
export function useQuery(): URLSearchParams {
  const text = useSyncExternalStore(onMove, () => window.location.search);
  return new URLSearchParams(text);
}

const isPlainClick = (event: MouseEvent): boolean =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

/** A link to a page of ours that does not load the whole page again. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  return (
    <a
      {...rest}
      href={href}
      onClick={(event) => {
        onClick?.(event);
        if (event.defaultPrevented || !isPlainClick(event) || rest.target) return;
        event.preventDefault();
        navigate(href);
      }}
    />
  );
}
