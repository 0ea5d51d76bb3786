import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../constructs/core/repository";

const FOLDER = join(repositoryRoot(), ".github", "workflows");

/** Lines of the scripts in a workflow: what stands after `run:`, or deeper below it. */
function scriptLines(text: string): string[] {
  const found: string[] = [];
  let depth: number | undefined;
  for (const line of text.split("\n")) {
    const indent = line.search(/\S/);
    if (depth !== undefined && (indent < 0 || indent > depth)) found.push(line);
    else {
      const [, lead, script] = /^(\s*(?:- )?)run:(.*)$/.exec(line) ?? [];
      depth = lead?.length;
      if (script !== undefined) found.push(script);
    }
  }
  return found;
}

describe("workflows", () => {
  test.each(readdirSync(FOLDER))("%s puts no expression into a script, where its value would be run", (name) => {
    const lines = scriptLines(readFileSync(join(FOLDER, name), "utf8"));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes("${{"))).toEqual([]);
  });

  test("one that does is found, on one line and in a block", () => {
    const value = (name: string) => `\${{ ${name} }}`;
    const text = [
      `      - run: echo ${value("github.head_ref")}`,
      "        env:",
      `          A: ${value("vars.A")}`,
      "      - run: |",
      "          set -e",
      "",
      `          echo ${value("github.event.pull_request.title")}`,
      `      - uses: ${value("x")}`,
    ].join("\n");
    expect(scriptLines(text).filter((line) => line.includes("${{"))).toHaveLength(2);
  });
});
