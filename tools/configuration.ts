import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type DocumentedKeys, type LinePart, TIERS } from "../constructs/core/hospital-line";
import { repositoryRoot } from "../constructs/core/repository";
import { auditContract } from "../runtime/audit/contract";
import { deliverContract } from "../runtime/deliver/contract";
import { featuresContract } from "../runtime/features/contract";
import { ingestContract } from "../runtime/ingest/contract";
import { monitorContract } from "../runtime/monitor/contract";
import { pacsContract } from "../runtime/pacs/contract";
import type { RuntimeContract } from "../runtime/platform/contract";
import { preprocessContract } from "../runtime/preprocess/contract";
import { retrainContract } from "../runtime/retrain/contract";
import { scoreContract } from "../runtime/score/contract";
import { serveContract } from "../runtime/serve/contract";
import { trainContract } from "../runtime/train/contract";
import { LINE_PARTS } from "../stacks/config";
import { platformKeys } from "../stacks/platform-config";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { markdownTable } from "./markdown";

export const CONFIGURATION_DOCUMENT = join(repositoryRoot(), "docs", "configuration.md");

/** Every capability that runs as a process of its own, in the order of a scan's way. */
const CONTRACTS: readonly RuntimeContract[] = [
  ingestContract,
  pacsContract,
  preprocessContract,
  featuresContract,
  scoreContract,
  monitorContract,
  trainContract,
  retrainContract,
  serveContract,
  deliverContract,
  auditContract,
];

const NOTHING = "-";

/** `docs/configuration.md`, whole. */
export function configurationDocument(): string {
  const hospital = LINE_PARTS.flatMap(({ key, part }) =>
    keyRows(part, key === undefined ? "" : `${key}.`, (name, schema) =>
      TIERS.map((tier) => withoutOne(schema, (part.defaults as Defaults)[tier][name])),
    ),
  );
  const platform = keyRows(platformKeys, "", (_name, schema) => [withoutOne(schema, undefined)]);
  const processes = CONTRACTS.flatMap(({ name, env }) => [
    `### ${name}`,
    markdownTable(["variable", "default", "what it decides"], Object.entries(env.shape).map(variableRow)),
  ]);
  return `${[
    "# Configuration",
    "<!-- Written by npm run docs:configuration from the schemas that check what is written; a test holds it to them. -->",
    "Everything that can be set, and what holds where nothing is. A mistake is answered by a sentence that names the place, what was given and what is allowed; all of them at once, exit code 2.",
    "## A hospital's line",
    "In `stacks/hospitals.ts`, or in the list of `npm run synth -- --hospitals FILE.json`. Five keys are required. The tier decides what is left out.",
    markdownTable(["key", "type", ...TIERS, "what it decides, and what is allowed"], hospital),
    "## The platform's line",
    "In `stacks/hospitals.ts`, once.",
    markdownTable(["key", "type", "default", "what it decides, and what is allowed"], platform),
    "## What runs",
    "Each process reads its environment once, at its start, by the schema in `runtime/<name>/contract.ts`. In the cloud the construct of the same name sets what is required; there is nothing to do by hand.",
    ...processes,
  ].join("\n\n")}\n`;
}

type Defaults = LinePart<z.ZodObject, string>["defaults"];

/** A row a key: its name, its type, what a line gets without it, and what a person has to know. */
function keyRows(
  { schema, purpose, within = {} }: DocumentedKeys,
  prefix: string,
  values: (name: string, schema: z.ZodType) => readonly string[],
): string[][] {
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, value]) => {
    const type = typeOf(value);
    const allowed = descriptionOf(value);
    const about = allowed === type ? purpose[name] : `${purpose[name]} Allowed: ${allowed}.`;
    const row = [`\`${prefix}${name}\``, type, ...values(name, value), String(about)];
    const inner = within[name];
    if (inner === undefined) return [row];
    const below = `${prefix}${name}${unwrapped(value) instanceof z.ZodArray ? "[]" : ""}.`;
    // A part's defaults are those of its own keys.
    return [row, ...keyRows(inner, below, (_name, innerValue) => values("", innerValue))];
  });
}

function variableRow([name, schema]: [string, unknown]): string[] {
  return [`\`${name}\``, withoutOne(schema as z.ZodType, undefined), descriptionOf(schema as z.ZodType)];
}

/** What holds without a value: the tier's default, or else the schema's own. */
function withoutOne(schema: z.ZodType, ofTier: unknown): string {
  if (ofTier !== undefined) return show(ofTier);
  const parsed = schema.safeParse(undefined);
  if (!parsed.success) return "required";
  return parsed.data === undefined ? NOTHING : show(parsed.data);
}

function show(value: unknown): string {
  if (Array.isArray(value) && value.length === 0) return "none";
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

/** Under defaults and options. */
function unwrapped(schema: z.ZodType): z.ZodType {
  let here = schema;
  while (here instanceof z.ZodDefault || here instanceof z.ZodOptional) here = here.unwrap() as z.ZodType;
  return here;
}

function descriptionOf(schema: z.ZodType): string {
  const text = schema.description ?? unwrapped(schema).description;
  if (text === undefined) throw new Error("A key has no description of what is allowed.");
  return text;
}

/** As a person would write it. */
function typeOf(schema: z.ZodType): string {
  const here = unwrapped(schema);
  if (here instanceof z.ZodArray) return `list of ${PLURALS[typeOf(here.element as z.ZodType)] ?? "values"}`;
  if (here instanceof z.ZodObject) return "object";
  if (here instanceof z.ZodEnum) return "choice";
  if (here instanceof z.ZodBoolean) return "true or false";
  if (here instanceof z.ZodNumber) return here instanceof z.ZodNumberFormat ? "whole number" : "number";
  // A project's number may be written as text or as a number.
  if (here instanceof z.ZodPipe) return "text or whole number";
  return "text";
}

const PLURALS: Readonly<Record<string, string>> = { text: "texts", object: "objects", "whole number": "whole numbers" };

/** The command `npm run docs:configuration`. */
export async function docsConfiguration(args: readonly string[]): Promise<number> {
  const program = tool(
    "docs:configuration",
    "Writes every key and variable, with its defaults, into docs/configuration.md.",
  );
  return runTool(
    program,
    () => {
      writeFileSync(CONFIGURATION_DOCUMENT, configurationDocument());
      print("docs/configuration.md is current.");
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, docsConfiguration);
