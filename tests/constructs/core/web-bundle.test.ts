import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../../../constructs/core/repository";
import { bundleWeb } from "../../../constructs/core/web-bundle";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "web-bundle-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("the dashboard is built anew where something changes that it shares with the server, and else taken from the cache", () => {
  const shared = "runtime/explain/colormap.ts";
  for (const path of ["web", shared, "runtime/explain/fade.ts", "package-lock.json", "tsconfig.json"]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(join(repositoryRoot(), path), join(root, path), { recursive: true });
  }
  symlinkSync(join(repositoryRoot(), "node_modules"), join(root, "node_modules"));
  const { sha256 } = bundleWeb(root);
  expect(bundleWeb(root).sha256).toBe(sha256);
  appendFileSync(join(root, shared), "INFERNO[0] = 1;\n");
  expect(bundleWeb(root).sha256).not.toBe(sha256);
});
