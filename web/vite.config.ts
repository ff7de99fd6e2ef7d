import { defineConfig } from "vitest/config";

// `npm run dev` beside a running platform: the pages from here, the answers from there.
const active = process.env["FLIGHT_ACTIVE_URL"] ?? "http://127.0.0.1:8081";
const history = process.env["FLIGHT_HISTORY_URL"] ?? "http://127.0.0.1:8082";

export default defineConfig({
  base: "./", // wherever the page is put, it finds its files
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 2_000, // kB: MapLibre is one piece
    assetsInlineLimit: 0, // the page runs under a policy that knows no data: addresses
  },
  server: {
    proxy: {
      "/v1/live": active,
      "/v1": history,
    },
  },
  test: { include: ["test/**/*.test.ts"] },
});
