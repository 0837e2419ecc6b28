import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * Vite leaves a Node module that the browser lacks empty and only warns. For `fs` and `path` in the codecs and `url` in
 * an XML library that is harmless; an empty `events` breaks the viewer's library at its first class, and the page stays
 * black.
 */
function failOnMissingModules(): Plugin {
  const harmless = new Set(["fs", "path", "url"]);
  const missing = new Set<string>();
  return {
    name: "fail-on-missing-modules",
    apply: "build",
    onLog(_level, log) {
      const name = /Module "([^"]+)" has been externalized/.exec(log.message)?.[1];
      if (name && !harmless.has(name)) missing.add(name);
    },
    // An error thrown while a message is logged would only be one message more.
    generateBundle() {
      if (!missing.size) return;
      this.error(`Left out of the bundle: ${[...missing].join(", ")}. Is a package of that name missing?`);
    },
  };
}

const SERVER = "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/app/" : "/",
  plugins: [react(), failOnMissingModules()],
  worker: { format: "es" as const },
  build: {
    target: "es2022",
    outDir: "dist",
    manifest: true,
    chunkSizeWarningLimit: 4000,
    assetsInlineLimit: 0,
  },
  optimizeDeps: { exclude: ["@cornerstonejs/dicom-image-loader"], include: ["dicom-parser"] },
  server: { proxy: { "/api": SERVER, "/dicomweb": SERVER } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
}));
