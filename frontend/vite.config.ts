import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * Vite leaves a Node module that the browser lacks empty and only warns. For `fs` and `path` inside the codecs that
 * is harmless; an empty `events` breaks the viewer's library at its first class, and the page stays black.
 */
function failOnMissingEvents(): Plugin {
  return {
    name: "fail-on-missing-events",
    apply: "build",
    onLog(_level, log) {
      if (/Module "events" has been externalized/.test(log.message)) {
        this.error('The module "events" was left out of the bundle: is the package `events` installed?');
      }
    },
  };
}

const SERVER = "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/app/" : "/",
  plugins: [react(), failOnMissingEvents()],
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
