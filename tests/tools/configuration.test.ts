import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TIERS } from "../../constructs/core/hospital-line";
import { ConfigurationError } from "../../runtime/platform/config";
import { parseHospitals } from "../../stacks/config";
import { parsePlatform } from "../../stacks/platform-config";
import { CONFIGURATION_DOCUMENT, configurationDocument } from "../../tools/configuration";
import { markdownTable } from "../../tools/markdown";
import { EXAMPLE_PLATFORM } from "../../tools/tiers";

const ROOT = join(__dirname, "../..");
const LINE = { name: "st-anna", project: "bts-st-anna", projectNumber: "483920174655", region: "europe-west4" };

/** Rows of the table below a heading, cells by title. */
function rowsBelow(heading: string): Record<string, string>[] {
  const text = configurationDocument();
  const from = text.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`There is no ${heading}.`);
  const [section = ""] = text.slice(from + heading.length + 2).split(/\n#/);
  const [titles = [], , ...rows] = section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.map((row) => Object.fromEntries(titles.map((title, index) => [title, row[index] ?? ""])));
}

/** The keys that a refusal of an unknown one lists. */
function allowedKeys(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigurationError) return (error.message.match(/allowed: (.*)\.$/m)?.[1] ?? "").split(", ");
    throw error;
  }
  return [];
}

describe("docs/configuration.md", () => {
  test("is what the schemas say: npm run docs:configuration", () => {
    expect(readFileSync(CONFIGURATION_DOCUMENT, "utf8")).toBe(configurationDocument());
  });

  test("has every key that a hospital's line may have, and no other", () => {
    const flat = allowedKeys(() => parseHospitals([{ ...LINE, tier: "prod", zzzzzz: 1 }]));
    const nested = [
      "network",
      "delivery",
      "gateway",
      "ingest",
      "preprocess",
      "features",
      "schedule",
      "train",
      "serve",
      "objectives",
      "retraining",
    ];
    const keys = flat.flatMap((key) =>
      nested.includes(key)
        ? allowedKeys(() => parseHospitals([{ ...LINE, tier: "prod", [key]: { zzzzzz: 1 } }])).map(
            (inner) => `${key}.${inner}`,
          )
        : [key],
    );
    const deeper = [
      ...["name", "cidr", "ports"].map((key) => `network.egress[].${key}`),
      ...["project", "network", "subnet"].map((key) => `network.shared.${key}`),
      ...["signInUrl", "clientId", "clientSecret", "scope"].map((key) => `delivery.oauth2.${key}`),
      ...["certificate", "key"].map((key) => `delivery.mtls.${key}`),
    ];
    expect(
      rowsBelow("## A hospital's line")
        .map(({ key }) => key?.replaceAll("`", ""))
        .sort(),
    ).toEqual([...keys, ...deeper].sort());
  });

  test.each(TIERS)("says what a line of tier %s gets that says nothing", (tier) => {
    const [hospital] = parseHospitals([{ ...LINE, tier }], undefined, { now: new Date() });
    for (const row of rowsBelow("## A hospital's line")) {
      const key = String(row.key).replaceAll("`", "");
      const value = String(row[tier]);
      if (value === "required" || value === "-" || key === "allowDestroys") continue;
      const given = key.split(".").reduce<unknown>((here, part) => (here as Record<string, unknown>)[part], hospital);
      expect([key, value]).toEqual([key, Array.isArray(given) ? "none" : `\`${given}\``]);
    }
  });

  test("has every key of the platform's line", () => {
    const keys = allowedKeys(() => parsePlatform({ ...EXAMPLE_PLATFORM, zzzzzz: 1 }));
    const documented = rowsBelow("## The platform's line").map(({ key }) => key?.replaceAll("`", ""));
    expect(documented.filter((key) => !key?.includes(".")).sort()).toEqual(keys.sort());
    expect(documented).toContain("ci.projectNumber");
  });

  test("has every variable of every contract, and whether it has to be set", () => {
    const names = readdirSync(join(ROOT, "runtime")).filter((name) =>
      existsSync(join(ROOT, "runtime", name, "contract.ts")),
    );
    for (const name of names.filter((name) => name !== "platform")) {
      const exported = Object.values(require(`../../runtime/${name}/contract`)) as {
        env?: { shape: Record<string, { safeParse(value: undefined): { success: boolean } }> };
      }[];
      const contract = exported.find(({ env }) => env !== undefined);
      const rows = rowsBelow(`### ${name}`);
      expect(rows.map(({ variable }) => variable)).toEqual(
        Object.keys(contract?.env?.shape ?? {}).map((key) => `\`${key}\``),
      );
      for (const [index, schema] of Object.values(contract?.env?.shape ?? {}).entries())
        expect(rows[index]?.default === "required").toBe(!schema.safeParse(undefined).success);
    }
  });

  test("says something of every key", () => {
    const rows = [...rowsBelow("## A hospital's line"), ...rowsBelow("## The platform's line")];
    for (const row of rows) expect(row["what it decides, and what is allowed"]).toMatch(/^\S.{10,}\.$/);
  });
});

test("a cell that holds a bar stays one cell", () => {
  expect(markdownTable(["a", "b"], [["x|y", "z"]])).toBe("| a    | b |\n| ---- | - |\n| x\\|y | z |");
});
