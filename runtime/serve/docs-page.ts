/** What of an OpenAPI document is shown. */
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses?: Readonly<
    Record<
      string,
      { readonly description?: string; readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
    >
  >;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly contentMediaType?: string;
}

export const STYLE = `
:root { color-scheme: light dark; --line: #8883; --quiet: light-dark(#566671, #a9b6bf); --mark: light-dark(#17587f, #8cc4ea); }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 0.25rem; overflow-wrap: anywhere; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; } a { color: var(--mark); }
.method { color: var(--mark); font-weight: 700; } .quiet { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; font-size: 0.9rem; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.6rem 0.3rem 0; text-align: left; vertical-align: top; }
`;

const quoted = (value: string) => value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

/** The document as one page without a script: what it says is all there is to see. */
export function drawDocs({ info, paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const schemas = Object.entries(components?.schemas ?? {});
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API: ${quoted(info.title)}</title>
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<main>
<h1>${quoted(info.title)}: the API</h1>
<p><strong>${quoted(info.description ?? "")}</strong> <a href="/">The dashboard</a> asks the same. For machines: <a href="/openapi.json">/openapi.json</a>. Errors are <code>application/problem+json</code>; their <code>code</code> is stable.</p>
<h2>Routes</h2>
${operations.map(drawOperation).join("\n")}
<h2>Objects</h2>
${schemas.map(([name, schema]) => `<h3 id="${quoted(name)}">${quoted(name)}</h3>\n${drawProperties(schema)}`).join("\n")}
</main>
</body>
</html>
`;
}

function drawOperation({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary = "", parameters = [], requestBody, responses = {} } = operation;
  const good = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  const bad = Object.keys(responses).filter((status) => !status.startsWith("2"));
  const rows = [
    ...parameters.map(({ name, in: where, required, description, schema }) => [
      `<code>${quoted(name)}</code>`,
      `${quoted(where)}${required ? "" : ", optional"}`,
      `${drawType(schema)} ${quoted(description ?? schema?.description ?? "")}`,
    ]),
    ...Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => ["body", quoted(type), drawType(schema)]),
    ...good.flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, { schema }]) => [quoted(status), quoted(type), drawType(schema)]),
    ),
  ];
  return `<h3><span class="method">${method}</span> <code>${quoted(path)}</code></h3>
<p>${quoted(summary)}. <span class="quiet">Problems: ${bad.map(quoted).join(", ")}</span></p>
${table(rows)}`;
}

function drawProperties({ properties = {}, required = [], ...schema }: Schema): string {
  const rows = Object.entries(properties).map(([name, property]) => [
    `<code>${quoted(name)}</code>`,
    `${drawType(property)}${required.includes(name) ? "" : ", optional"}`,
    quoted(property.description ?? ""),
  ]);
  return rows.length > 0 ? table(rows) : `<p>${drawType(schema)}</p>`;
}

const table = (rows: readonly (readonly string[])[]) =>
  rows.length === 0
    ? ""
    : `<table>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("\n")}</table>`;

function drawType(schema: Schema | undefined): string {
  if (!schema) return "";
  const { $ref, type, items, anyOf, oneOf, properties, contentMediaType } = schema;
  const name = $ref?.split("/").at(-1);
  if (name) return `<a href="#${quoted(name)}">${quoted(name)}</a>`;
  const choices = anyOf ?? oneOf;
  if (choices) return choices.map(drawType).join(" or ");
  if (schema.enum) return schema.enum.map((value) => `<code>${quoted(String(value))}</code>`).join(" or ");
  if (schema.const !== undefined) return `<code>${quoted(String(schema.const))}</code>`;
  if (type === "array") return `list of ${drawType(items)}`;
  if (properties)
    return `{ ${Object.entries(properties)
      .map(([key, of]) => `${quoted(key)}: ${drawType(of)}`)
      .join(", ")} }`;
  return quoted(contentMediaType ?? [type ?? "anything"].flat().join(" or "));
}
