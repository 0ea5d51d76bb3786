import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { REJECTION_CODES, RejectedImage, type RejectionCode } from "../../../runtime/imaging";
import { creatableOnly } from "../../../runtime/platform/stores";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { buildServer } from "../../../runtime/serve";
import { serveContract } from "../../../runtime/serve/contract";
import { toProblem } from "../../../runtime/serve/problem";

/** What docs/commands.md says of routes and codes is what the service has: no more, and no less. */

const ROOT = join(__dirname, "../../..");
const SERVE = join(ROOT, "runtime/serve");
const [, section = ""] = readFileSync(join(ROOT, "docs/commands.md"), "utf8").split(/^## Over HTTP$/m);
const [overHttp = ""] = section.split(/^## /m);

/** First cells of the table that begins with this head, and what stands in the other ones. */
function tableOf(head: string): [first: string, rest: string][] {
  const [, body = ""] = overHttp.split(`| ${head} |\n| --- | --- |\n`);
  const [table = ""] = body.split("\n\n");
  return table.split("\n").map((line) => {
    const [, first = "", rest = ""] = /^\| (.*?) \| (.*) \|$/.exec(line) ?? [];
    return [first, rest];
  });
}

const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

test("the table of routes is that of the API's document", async () => {
  const folder = mkdtempSync(join(tmpdir(), "documented-"));
  const workspace = await openWorkspace(join(folder, "workspace"));
  const { models, reports, landing } = workspace.buckets;
  const app = await buildServer({
    ...{ models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }) },
    landing: creatableOnly(landing, serveContract.createsBelow.landing),
  });
  try {
    const { paths } = (await app.inject("/openapi.json")).json<{ paths: Record<string, object> }>();
    const there = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, "*")}`),
    );
    let method = "";
    const documented = tableOf("route | answers").flatMap(([first]) =>
      quoted(first).map((route) => {
        const [, given, path = ""] = /^(?:([A-Z]+) )?(\/[^?]*)/.exec(route) ?? [];
        method = given ?? method;
        return `${method} ${path.replace(/\/[A-Z]+\b/g, "/*")}`;
      }),
    );
    expect(documented.sort()).toEqual(there.sort());
  } finally {
    await app.close();
    await workspace.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

/** Problems whose code or status is made, and what they are: where it is written, and what may come of it. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  "400, `bad-${where}`": ["400 bad-query", "400 bad-header"],
  "409, error.code": (
    ["not-evaluated", "unusable-model", "not-comparable", "not-promoted", "not-rolled-back"] as const
  ).map((code) => `409 ${code}`),
  "STATUS[error.code] ?? 422, error.code": (Object.keys(REJECTION_CODES) as RejectionCode[])
    .map((code) => toProblem(new RejectedImage(code, "It is.")))
    .filter(({ status }) => status !== 422)
    .map(({ status, code }) => `${status} ${code}`),
};

test("the table of codes has every code of the service, under its status", () => {
  const there = new Set<string>();
  const made = new Set<string>();
  for (const name of readdirSync(SERVE, { recursive: true }) as string[]) {
    if (!name.endsWith(".ts")) continue;
    for (const [, status, code, other = ""] of readFileSync(join(SERVE, name), "utf8").matchAll(
      /new Problem\(\s*(?:(\d{3}),\s*"([a-z-]+)"|((?:[^,()]|\([^()]*\))+,\s*[^,\s]+))/g,
    )) {
      if (code !== undefined) there.add(`${status} ${code}`);
      else made.add(other.replace(/\s+/g, " "));
    }
  }
  expect([...made].sort()).toEqual(Object.keys(MADE).sort());
  for (const codes of Object.values(MADE)) for (const code of codes) there.add(code);
  const documented = tableOf("status | codes of the service").flatMap(([first, rest]) => {
    const statuses = first.split(", ");
    const groups = statuses.length === 1 ? [rest] : rest.split("; ");
    expect([first, groups.length]).toEqual([first, statuses.length]);
    return groups.flatMap((group, i) => quoted(group).map((code) => `${statuses[i]} ${code}`));
  });
  expect(documented.sort()).toEqual([...there].sort());
});
