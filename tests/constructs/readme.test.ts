import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "../..");
const FOLDERS = readdirSync(join(ROOT, "constructs"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const snippets = new Map(
  FOLDERS.map((name) => {
    const text = readFileSync(join(ROOT, "constructs", name, "README.md"), "utf8");
    return [name, [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => String(match[1]))];
  }),
);

test.each(FOLDERS)("constructs/%s has a README with a snippet", (name) => {
  expect(snippets.get(name)?.length).toBeGreaterThan(0);
});

test("every snippet compiles, as if it stood in stacks/", () => {
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  try {
    const files = [...snippets].flatMap(([name, texts]) =>
      texts.map((text, index) => {
        const file = join(folder, `${name}-${index}.ts`);
        writeFileSync(
          file,
          text
            .replace(/from "\.\.\//g, `from "${ROOT}/`)
            .replace(/from "constructs"/g, `from "${ROOT}/node_modules/constructs"`),
        );
        return file;
      }),
    );
    const config = join(folder, "tsconfig.json");
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(ROOT, "tsconfig.json"),
        compilerOptions: {
          noEmit: true,
          incremental: false,
          rootDir: "/",
          typeRoots: [join(ROOT, "node_modules/@types")],
        },
        files,
        include: [],
      }),
    );
    const { stdout } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", config, "--pretty", "false"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
