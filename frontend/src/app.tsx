import { Component, type ReactNode, Suspense } from "react";
import { routes as pageRoutes } from "./pages/routes";
import { findRoute, Link, pageOf, type Route, usePath } from "./router";
import { Shell } from "./shell/shell";

/** The reading room is a chunk of its own: no other page fetches the viewer. */
const routes: readonly Route[] = [
  { path: "/read/:id", load: () => import("./room/page"), bare: true },
  ...pageRoutes,
];

export function App() {
  const path = usePath();
  const found = findRoute(routes, path);
  if (!found) {
    return (
      <Shell>
        <Notice title="There is no such page">
          The address <code>{path}</code> leads nowhere. <Link href="/">Go to the first page</Link>
        </Notice>
      </Shell>
    );
  }
  const Page = pageOf(found.route);
  const page = (
    // The room stays when the next exam comes: what it fetched ahead is in its hands. Other pages begin anew.
    <Boundary key={found.route.bare ? found.route.path : path} path={path}>
      <Suspense fallback={<p className="app-loading">Opening…</p>}>
        <Page params={found.params} />
      </Suspense>
    </Boundary>
  );
  return found.route.bare ? page : <Shell>{page}</Shell>;
}

function Notice({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="app-notice" role="alert">
      <h1>{title}</h1>
      <p>{children}</p>
    </main>
  );
}

/** A page that breaks says so, and leaves the rest of the screen alive. */
class Boundary extends Component<{ children: ReactNode; path: string }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  override componentDidUpdate(before: { path: string }): void {
    if (before.path !== this.props.path && this.state.error) this.setState({ error: null });
  }

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    return (
      <Notice title="This page stopped working">
        {this.state.error.message}. What was saved is kept.{" "}
        <button type="button" onClick={() => window.location.reload()}>
          Load the page again
        </button>
      </Notice>
    );
  }
}
