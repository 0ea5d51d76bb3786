import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { BuildOptions } from "esbuild";
import { BundleCache } from "./bundle-cache";
import { type Bundle, hashFiles, zipFiles } from "./bundle-files";
import { bundler } from "./bundler";

/** Where a bundle has the built files of the dashboard, beside its entry. */
export const WEB_FOLDER = "web";

const ENTRIES = ["web/app.tsx", "web/icon.svg"];

const BUILDING = {
  entryPoints: ENTRIES,
  bundle: true,
  outdir: "out",
  entryNames: "assets/[name]-[hash]",
  assetNames: "assets/[name]-[hash]",
  platform: "browser",
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  sourcemap: false,
  legalComments: "none",
  charset: "utf8",
  loader: { ".svg": "copy" },
} satisfies BuildOptions;

/** The built dashboard: `index.html`, and what it names below `assets/`, whose names change with their content. */
export function bundleWeb(root: string): Bundle {
  // The page draws with what the server draws with, which lies below runtime/.
  const cache = new BundleCache(root, ["runtime", WEB_FOLDER]);
  const key = cache.key({ ...BUILDING, version: bundler().version });
  const stored = cache.get(WEB_FOLDER, key);
  if (stored) return stored;
  const files = buildWeb(root);
  const bundle = { sha256: hashFiles(files), zip: zipFiles(files) };
  cache.put(WEB_FOLDER, key, bundle);
  return bundle;
}

function buildWeb(root: string): ReadonlyMap<string, Uint8Array> {
  const { outputFiles } = bundler().buildSync({ ...BUILDING, absWorkingDir: root, write: false, logLevel: "error" });
  const assets = new Map(outputFiles.map(({ path, contents }) => [`assets/${basename(path)}`, contents]));
  const page = readFileSync(join(root, WEB_FOLDER, "index.html"), "utf8").replace(
    /"(app|icon)(\.\w+)"/g,
    (_, name: string, extension: string) => {
      const found = [...assets.keys()].find(
        (path) => basename(path).startsWith(`${name}-`) && extname(path) === extension,
      );
      if (!found) throw new Error(`web/index.html names ${name}${extension}, and the build gave no such file.`);
      return `"/${found}"`;
    },
  );
  return new Map<string, Uint8Array>([["index.html", Buffer.from(page)], ...assets]);
}
