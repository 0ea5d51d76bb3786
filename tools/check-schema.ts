import { asRecord } from "../stacks/sentences";
import type { ArgumentType, Block, ProviderSchema } from "./provider-schema";
import type { Json } from "./synthesized";

/** Where a configuration does not fit the provider's schema. */
export interface SchemaProblem {
  /** `google_storage_bucket.landing`, `data.google_project.p` or `provider.google`. */
  readonly address: string;
  /** Argument, from the resource on: `lifecycle_rule[0].action.type`. Empty for the resource itself. */
  readonly path: string;
  readonly kind: "unknown-type" | "unknown-argument" | "wrong-type" | "missing-argument" | "computed-argument";
  /** A sentence. */
  readonly message: string;
}

/**
 * Checks a synthesized stack against the provider's schema, overrides included: the compiler sees neither those nor what
 * stands in a map.
 */
export function checkSchema(schema: ProviderSchema, stack: Json): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const check = (kind: "resource" | "data", types: Readonly<Record<string, string>>) => {
    for (const [type, instances] of Object.entries(asRecord(stack[kind]))) {
      for (const [logicalId, config] of Object.entries(asRecord(instances))) {
        const address = `${kind === "data" ? "data." : ""}${type}.${logicalId}`;
        const block = schema.blocks[types[type] ?? ""];
        if (block) checkBlock({ schema, address, problems }, block, config, "");
        else
          problems.push({
            address,
            path: "",
            kind: "unknown-type",
            message: `The provider google ${schema.version} has no ${kind === "data" ? "data source" : "resource"} ${type}.`,
          });
      }
    }
  };
  check("resource", schema.resources);
  check("data", schema.dataSources);
  for (const [name, configs] of Object.entries(asRecord(stack.provider)))
    for (const config of list(configs)) {
      const block = schema.blocks[schema.provider];
      if (name === "google" && block) checkBlock({ schema, address: "provider.google", problems }, block, config, "");
    }
  return problems;
}

interface Context {
  readonly schema: ProviderSchema;
  readonly address: string;
  readonly problems: SchemaProblem[];
}

/** https://developer.hashicorp.com/terraform/language/meta-arguments */
const META = new Set([
  "//",
  "count",
  "depends_on",
  "for_each",
  "lifecycle",
  "provider",
  "provisioner",
  "connection",
  "dynamic",
]);
const LIFECYCLE = new Set([
  "create_before_destroy",
  "ignore_changes",
  "postcondition",
  "precondition",
  "prevent_destroy",
  "replace_triggered_by",
]);

function checkBlock(context: Context, block: Block, config: unknown, path: string): void {
  const { address, problems } = context;
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  const top = path === "";
  for (const [name, value] of Object.entries(asRecord(config))) {
    const argument = block.arguments[name];
    if (argument) {
      checkValue(context, argument.type, value, at(name), argument.required);
    } else if (top && name === "lifecycle") {
      for (const key of Object.keys(asRecord(value)))
        if (!LIFECYCLE.has(key)) problems.push(unknown(address, `lifecycle.${key}`, [...LIFECYCLE]));
    } else if (top && address.startsWith("provider.") && (name === "alias" || name === "version")) {
    } else if (!(top && META.has(name)) && !(name === "dynamic" || name === "//")) {
      if (block.computed.includes(name))
        problems.push({
          address,
          path: at(name),
          kind: "computed-argument",
          message: `"${at(name)}" is computed by the provider and cannot be set: remove it.`,
        });
      else problems.push(unknown(address, at(name), Object.keys(block.arguments)));
    }
  }
  const dynamic = asRecord(asRecord(config).dynamic);
  for (const [name, argument] of Object.entries(block.arguments)) {
    const value = asRecord(config)[name];
    if (argument.required && (value === undefined || value === null) && !(name in dynamic))
      problems.push({
        address,
        path: at(name),
        kind: "missing-argument",
        message: `"${at(name)}" is missing, and the provider requires it.`,
      });
  }
}

function checkValue(context: Context, type: ArgumentType, value: unknown, path: string, required: boolean): void {
  if (value === null || value === undefined || isExpression(value)) return;
  const wrong = (expected: string) =>
    context.problems.push({
      address: context.address,
      path,
      kind: "wrong-type",
      message: `"${path}" is ${show(value)}; the provider takes ${expected}.`,
    });
  switch (type.kind) {
    case "any":
      return;
    case "block": {
      const block = context.schema.blocks[type.block];
      if (!block) return;
      const items = Array.isArray(value) ? value : [value];
      if (!type.many && items.length > 1) wrong("one block, not several");
      if (required && items.length === 0) wrong("at least one block");
      items.forEach((item, index) => {
        const here = Array.isArray(value) ? `${path}[${index}]` : path;
        if (isExpression(item)) return;
        if (typeof item !== "object" || item === null || Array.isArray(item))
          context.problems.push({
            address: context.address,
            path: here,
            kind: "wrong-type",
            message: `"${here}" is ${show(item)}; the provider takes a block with ${Object.keys(block.arguments).join(", ")}.`,
          });
        else checkBlock(context, block, item, here);
      });
      return;
    }
    case "list":
      if (!Array.isArray(value)) wrong(`a list of ${type.of}s`);
      else
        for (const [index, item] of value.entries())
          checkValue(context, { kind: type.of }, item, `${path}[${index}]`, false);
      return;
    case "map":
      if (typeof value !== "object" || Array.isArray(value)) wrong(`a map of ${type.of}s`);
      else
        for (const [key, item] of Object.entries(value))
          checkValue(context, { kind: type.of }, item, `${path}.${key}`, false);
      return;
    default:
      if (typeof value !== type.kind) wrong(`a ${type.kind}`);
  }
}

function unknown(address: string, path: string, allowed: readonly string[]): SchemaProblem {
  return {
    address,
    path,
    kind: "unknown-argument",
    message: `"${path}" is not an argument that the provider knows; it knows ${[...allowed].sort().join(", ")}.`,
  };
}

/** Only Terraform knows what a whole expression evaluates to. */
const isExpression = (value: unknown): boolean => typeof value === "string" && /^\$\{[\s\S]*\}$/.test(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
const show = (value: unknown) => JSON.stringify(value)?.slice(0, 60) ?? String(value);
