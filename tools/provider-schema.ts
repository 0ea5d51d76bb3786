import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";

/** What Terraform takes as the value of an argument: a value, a list or map of values, or a block of arguments. */
export type ArgumentType =
  | { readonly kind: "string" | "number" | "boolean" | "any" }
  | { readonly kind: "list" | "map"; readonly of: "string" | "number" | "boolean" | "any" }
  | { readonly kind: "block"; readonly block: string; readonly many: boolean };

export interface Argument {
  readonly type: ArgumentType;
  readonly required: boolean;
}

export interface Block {
  /** By Terraform's name. */
  readonly arguments: Readonly<Record<string, Argument>>;
  /** What the provider computes and nobody sets. */
  readonly computed: readonly string[];
}

/** The part of a provider's schema that a configuration is checked against. */
export interface ProviderSchema {
  /** Of the bindings package. */
  readonly version: string;
  readonly provider: string;
  /** Type, such as google_storage_bucket, to a name in `blocks`. */
  readonly resources: Readonly<Record<string, string>>;
  readonly dataSources: Readonly<Record<string, string>>;
  readonly blocks: Readonly<Record<string, Block>>;
}

const BINDINGS = "node_modules/@cdktf/provider-google";

/**
 * The schema of the Google provider that the bindings were generated from. Reading it takes seconds and half a gigabyte,
 * so an extract of it is kept in dist/.
 * @throws if the bindings are not installed.
 */
export function googleSchema(root: string = repositoryRoot()): ProviderSchema {
  const manifest = join(root, BINDINGS, "package.json");
  if (!existsSync(manifest)) throw new Error(`${BINDINGS} is not there: run "npm ci" first.`);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const cached = join(root, "dist", ".provider-schema", `google-${version}-${LAYOUT}.json`);
  if (existsSync(cached)) return JSON.parse(readFileSync(cached, "utf8")) as ProviderSchema;

  const schema = extract(JSON.parse(readFileSync(join(root, BINDINGS, ".jsii"), "utf8")) as Assembly, version);
  mkdirSync(dirname(cached), { recursive: true });
  const part = `${cached}.${process.pid}`;
  writeFileSync(part, JSON.stringify(schema));
  renameSync(part, cached);
  return schema;
}

/** Counts the changes of the extract's form. */
const LAYOUT = 1;

/** https://github.com/aws/jsii: the description of a library's types. Only what is used here. */
interface Assembly {
  readonly types: Readonly<Record<string, AssemblyType>>;
}
interface AssemblyType {
  readonly fqn: string;
  readonly kind: string;
  readonly base?: string;
  readonly docs?: Docs;
  readonly properties?: readonly Property[];
}
interface Property {
  readonly name: string;
  readonly optional?: boolean;
  readonly static?: boolean;
  readonly docs?: Docs;
  readonly type: TypeReference;
}
interface Docs {
  readonly summary?: string;
  readonly remarks?: string;
}
interface TypeReference {
  readonly primitive?: string;
  readonly fqn?: string;
  readonly collection?: { readonly kind: string; readonly elementtype: TypeReference };
  readonly union?: { readonly types: readonly TypeReference[] };
}

const RESOURCE = "cdktf.TerraformResource";
const DATA_SOURCE = "cdktf.TerraformDataSource";
const PROVIDER = "cdktf.TerraformProvider";

function extract(assembly: Assembly, version: string): ProviderSchema {
  const blocks: Record<string, Block> = {};
  const resources: Record<string, string> = {};
  const dataSources: Record<string, string> = {};
  let provider = "";

  const addBlock = (fqn: string, computedBy: string): string => {
    const name = fqn.slice(fqn.indexOf(".") + 1);
    if (name in blocks) return name;
    const args: Record<string, Argument> = {};
    const block = { arguments: args, computed: [] as string[] };
    blocks[name] = block;
    for (const property of assembly.types[fqn]?.properties ?? []) {
      const argument = terraformName(property.docs) ?? snakeCase(property.name);
      args[argument] = { type: typeOf(property.type), required: !property.optional };
    }
    const own = new Set((assembly.types[fqn]?.properties ?? []).map(({ name: property }) => property));
    block.computed.push(
      ...(assembly.types[computedBy]?.properties ?? [])
        .filter((property) => !property.static && !own.has(property.name) && !HELPERS.test(property.name))
        .map((property) => snakeCase(property.name))
        .filter((property) => !(property in args)),
    );
    return name;
  };

  const typeOf = (reference: TypeReference): ArgumentType => {
    const choices = reference.union?.types.filter(({ fqn }) => fqn !== "cdktf.IResolvable") ?? [reference];
    const [type] = choices;
    if (!type || choices.length > 1) return { kind: "any" };
    if (type.collection) {
      const { kind, elementtype } = type.collection;
      const element = typeOf(elementtype);
      if (element.kind === "block") return { ...element, many: true };
      if (element.kind === "list" || element.kind === "map") return { kind: "any" };
      return { kind: kind === "map" ? "map" : "list", of: element.kind };
    }
    if (type.fqn && assembly.types[type.fqn]?.kind === "interface")
      return { kind: "block", block: addBlock(type.fqn, `${type.fqn}OutputReference`), many: false };
    if (type.primitive === "string" || type.primitive === "number" || type.primitive === "boolean")
      return { kind: type.primitive };
    return { kind: "any" };
  };

  for (const type of Object.values(assembly.types)) {
    if (type.kind !== "class") continue;
    const name = / (google\w*)}/.exec(type.docs?.summary ?? "")?.[1];
    if (name === undefined) continue;
    if (type.base === RESOURCE) resources[name] = addBlock(`${type.fqn}Config`, type.fqn);
    else if (type.base === DATA_SOURCE) dataSources[name] = addBlock(`${type.fqn}Config`, type.fqn);
    else if (type.base === PROVIDER) provider = addBlock(`${type.fqn}Config`, type.fqn);
  }
  return { version, provider, resources, dataSources, blocks };
}

/** What the bindings' classes have besides the provider's attributes. */
const HELPERS = /Input$|^(?:internalValue|fqn|tfResourceType|cdktfStack|node|rawOverrides)$/;

/** The link to an argument's documentation ends with its name in Terraform. */
function terraformName(docs: Docs | undefined): string | undefined {
  const text = `${docs?.remarks ?? ""} ${docs?.summary ?? ""}`;
  return [...text.matchAll(/registry\.terraform\.io\/\S*#(\w+) /g)].at(-1)?.[1];
}

const snakeCase = (text: string) => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
