import { parseSync } from "@swc/core";

/** One place of a source file that names another module, whatever the syntax. */
export interface Import {
  /** The module's name as written; undefined where it is computed and could be any. */
  readonly specifier: string | undefined;
  /** From 1. */
  readonly line: number;
}

/** What a walk over a syntax tree looks at; the rest of a node is walked through. */
interface Node {
  readonly type: string;
  readonly span: { readonly start: number };
  readonly [field: string]: unknown;
}

/**
 * Every import of a TypeScript source in the order of its lines: static ones, `import type`, re-exports, `import()`,
 * `require()`, `require.resolve()`, `import x = require()` and types such as `typeof import()`. Comments and strings
 * are none. It is read by the parser that compiles the tests.
 *
 * @throws if the source is no TypeScript
 */
export function importsOf(source: string): readonly Import[] {
  const bytes = Buffer.from(source);
  const found: Import[] = [];
  const add = (node: Node, name: unknown) => {
    // A position is that of a UTF-8 byte, from 1.
    const before = bytes.subarray(0, node.span.start - 1);
    found.push({ specifier: nameIn(name), line: before.toString().split("\n").length });
  };
  walk(parseSync(source, { syntax: "typescript", target: "es2022", decorators: true }), (node) => {
    if (/^(?:Import|ExportNamed|ExportAll)Declaration$/.test(node.type) && node.source) add(node, node.source);
    else if (node.type === "TsImportType") add(node, node.argument);
    else if (node.type === "TsExternalModuleReference") add(node, node.expression);
    else if (node.type === "CallExpression" && isImporter(node.callee)) {
      const [first] = node.arguments as { readonly expression: unknown }[];
      add(node, first?.expression);
    }
  });
  return found.sort((a, b) => a.line - b.line);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (isNode(value)) visit(value);
  if (typeof value !== "object" || value === null) return;
  for (const part of Object.values(value)) walk(part, visit);
}

/** `import`, `require`, `module.require`, `require.resolve`, an options argument or `?.` notwithstanding. */
function isImporter(callee: unknown): boolean {
  if (!isNode(callee)) return false;
  if (callee.type === "Import") return true;
  if (callee.type === "Identifier") return callee.value === "require";
  if (callee.type !== "MemberExpression") return false;
  const { object, property } = callee as unknown as Record<"object" | "property", { readonly value?: unknown }>;
  return (
    (object.value === "require" && property.value === "resolve") ||
    (object.value === "module" && property.value === "require")
  );
}

/** A literal; of a template that computes its end the beginning, if that is a package's: it names no file here then. */
function nameIn(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === "StringLiteral") return String(value.value);
  if (value.type !== "TemplateLiteral") return undefined;
  const [head] = value.quasis as { readonly cooked: string }[];
  const text = head?.cooked ?? "";
  const isWhole = (value.expressions as unknown[] | undefined)?.length === 0;
  return isWhole || /^@?[a-z][^:]*\//.test(text) ? text : undefined;
}
