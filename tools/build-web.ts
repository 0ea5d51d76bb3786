import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundleFiles, hashFiles, unpackBundle } from "../constructs/core/bundle-files";
import { repositoryRoot } from "../constructs/core/repository";
import { bundleWeb, WEB_FOLDER } from "../constructs/core/web-bundle";
import { EXIT, ifMain, runTool, tool } from "./command";

/** Lays the built dashboard down where `serve` looks for it. What is there and right is left alone. */
export async function buildWeb(args: readonly string[]): Promise<number> {
  const program = tool("build", "Builds the dashboard of web/ into dist/web; `npm run build` and what serves run it.");
  return runTool(
    program,
    () => {
      const root = repositoryRoot();
      const bundle = bundleWeb(root);
      const folder = join(root, "dist", WEB_FOLDER);
      if (hashOf(folder, [...bundleFiles(bundle).keys()]) === bundle.sha256) return EXIT.done;
      // Whole or not at all: another command may be serving from it.
      const unfinished = `${folder}.unfinished-${process.pid}`;
      mkdirSync(unfinished, { recursive: true });
      unpackBundle(bundle, unfinished);
      rmSync(folder, { recursive: true, force: true });
      renameSync(unfinished, folder);
      return EXIT.done;
    },
    args,
  );
}

function hashOf(folder: string, paths: readonly string[]): string | undefined {
  try {
    return hashFiles(new Map(paths.map((path) => [path, readFileSync(join(folder, path))])));
  } catch {
    return undefined;
  }
}

ifMain(module, buildWeb);
