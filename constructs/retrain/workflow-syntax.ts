/**
 * What Workflows would refuse when a source is deployed, or fail at when it runs: nothing on this machine tells that.
 * Stricter than the syntax where that is not precise: names of steps are unique in a subworkflow, expressions hold no
 * literal lists or maps. https://cloud.google.com/workflows/docs/reference/syntax
 */

/** https://cloud.google.com/workflows/quotas#resource_limits */
export const WORKFLOW_LIMITS = {
  sourceBytes: 128 * 1024,
  expressionCharacters: 400,
  assignments: 50,
  conditions: 50,
  environmentVariables: 20,
  nesting: 10,
} as const;

/** Keys that may stand beside the one that says what kind of step it is. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  call: ["args", "result", "next"],
  assign: ["next"],
  switch: ["next"],
  for: ["next"],
  try: ["retry", "except", "next"],
  steps: ["next"],
  raise: [],
  return: [],
  next: [],
};
const IN_TRY: Readonly<Record<string, readonly string[]>> = { call: ["args", "result"], steps: [] };
/** What a condition leads to. */
const LEADS_TO = ["next", "return", "raise", "steps"];
/** Calls of the standard library that are used, with what they take. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  "http.get": ["url", "query", "headers", "auth", "timeout"],
  "http.post": ["url", "query", "headers", "body", "auth", "timeout"],
  "http.delete": ["url", "query", "headers", "auth", "timeout"],
  "sys.sleep": ["seconds"],
  "sys.log": ["text", "severity"],
};
/** What expressions may name beside variables; blocking calls are none of it. */
const FUNCTIONS = [
  ...["default", "int", "string", "len", "keys", "if"],
  ...["map.get", "list.concat", "text.split", "json.encode_to_string", "sys.get_env", "http.default_retry_predicate"],
];
const OPERATORS = ["and", "or", "not", "in"];
const BUILT_IN =
  /^GOOGLE_CLOUD_(PROJECT_ID|PROJECT_NUMBER|LOCATION|WORKFLOW_ID|WORKFLOW_REVISION_ID|WORKFLOW_EXECUTION_ID)$/;

type Mapping = Readonly<Record<string, unknown>>;
const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Everything that is wrong with a source, a sentence each. @param variables the environment variables that it is given */
export function workflowProblems(source: unknown, variables: readonly string[]): readonly string[] {
  if (!isMapping(source)) return ["The source is no map of workflows."];
  const problems: string[] = [];
  const bytes = Buffer.byteLength(JSON.stringify(source, null, 2));
  if (bytes > WORKFLOW_LIMITS.sourceBytes)
    problems.push(`The source has ${bytes} bytes; at most ${WORKFLOW_LIMITS.sourceBytes} are taken.`);
  if (!("main" in source)) problems.push('There is no workflow "main".');
  if (variables.length > WORKFLOW_LIMITS.environmentVariables)
    problems.push(`It has ${variables.length} environment variables; at most ${WORKFLOW_LIMITS.environmentVariables}.`);
  for (const name of Object.keys(source)) problems.push(...new Subworkflow(source, name, variables).problems());
  return problems;
}

class Subworkflow {
  private readonly found: string[] = [];
  private readonly steps = new Set<string>();
  private readonly known = new Set<string>();

  constructor(
    private readonly source: Mapping,
    private readonly name: string,
    private readonly variables: readonly string[],
  ) {}

  problems(): readonly string[] {
    const { name } = this;
    const workflow = this.source[name];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) this.say("", "has a name that is none");
    if (!isMapping(workflow)) return [`${name} is no workflow.`];
    this.onlyKeys("", workflow, ["params", "steps"]);
    const params = paramsOf(workflow);
    if (name === "main" && params.length > 1) this.say("", "takes more than one argument");
    for (const param of params) this.known.add(param);
    // What is set anywhere: whether it is set before it is read depends on the way there.
    this.collect(workflow.steps);
    this.list(workflow.steps, "steps", [], 0, false);
    return this.found;
  }

  private say(step: string, what: string): undefined {
    this.found.push(`${this.name}${step && `, step ${step}`}: it ${what}.`);
  }

  private onlyKeys(step: string, value: Mapping, allowed: readonly string[]): undefined {
    const others = Object.keys(value).filter((key) => !allowed.includes(key));
    if (others.length > 0) this.say(step, `has ${others.join(", ")}, which may not stand there`);
  }

  private collect(value: unknown): void {
    if (Array.isArray(value)) for (const one of value) this.collect(one);
    if (!isMapping(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      if (["result", "as", "value", "index"].includes(key) && typeof inner === "string") this.known.add(inner);
      if (key === "assign" && Array.isArray(inner))
        for (const one of inner) for (const target of Object.keys(one)) this.known.add(target.split(/[.[]/)[0] ?? "");
      this.collect(inner);
    }
  }

  /** @param outer names of the steps that may be jumped to from here */
  private list(list: unknown, at: string, outer: readonly string[], depth: number, looping: boolean): undefined {
    if (!Array.isArray(list) || list.length === 0) return this.say(at, "has no list of steps");
    if (depth > WORKFLOW_LIMITS.nesting) return this.say(at, "is nested too deep");
    const names = list.flatMap((one) => (isMapping(one) ? Object.keys(one) : []));
    if (names.length !== list.length) this.say(at, "has an entry that is not one step");
    const reachable = [...outer, ...names];
    for (const one of list)
      for (const [name, step] of Object.entries(isMapping(one) ? one : {})) {
        if (this.steps.has(name)) this.say(name, "has the name of another");
        this.steps.add(name);
        if (isMapping(step)) this.step(name, step, reachable, depth, looping);
        else this.say(name, "is no step");
      }
  }

  private step(name: string, step: Mapping, reachable: readonly string[], depth: number, looping: boolean): undefined {
    const kind = Object.keys(KINDS).find((key) => key in step);
    if (kind === undefined) return this.say(name, "does nothing");
    this.onlyKeys(name, step, [kind, ...(KINDS[kind] ?? [])]);
    this.jump(name, step.next, reachable, looping);
    const inside = (steps: unknown, inLoop = looping) => this.list(steps, name, reachable, depth + 1, inLoop);
    if (kind === "call") this.call(name, step);
    if (kind === "assign") this.assign(name, step.assign);
    if (kind === "raise" || kind === "return") this.values(name, step[kind]);
    if (kind === "steps") inside(step.steps);
    if (kind === "switch") this.conditions(name, step.switch, reachable, depth, looping);
    if (kind === "for" && isMapping(step.for)) {
      this.onlyKeys(name, step.for, ["value", "index", "in", "range", "steps"]);
      if ("in" in step.for === "range" in step.for) this.say(name, "goes through neither a list nor a range, or both");
      this.values(name, step.for.in);
      inside(step.for.steps, true);
    }
    if (kind === "try") this.attempt(name, step, inside);
  }

  private attempt(name: string, step: Mapping, inside: (steps: unknown) => void): undefined {
    const { try: tried, retry, except } = step;
    const kind = isMapping(tried) ? Object.keys(IN_TRY).find((key) => key in tried) : undefined;
    if (!isMapping(tried) || kind === undefined) return this.say(name, "tries nothing");
    this.onlyKeys(name, tried, [kind, ...(IN_TRY[kind] ?? [])]);
    if (kind === "call") this.call(name, tried);
    else inside(tried.steps);
    if (retry === undefined && except === undefined) this.say(name, "tries, and neither repeats nor catches");
    if (isMapping(retry)) {
      this.onlyKeys(name, retry, ["predicate", "max_retries", "backoff"]);
      if (isMapping(retry.backoff)) this.onlyKeys(name, retry.backoff, ["initial_delay", "max_delay", "multiplier"]);
      this.values(name, retry);
    }
    if (!isMapping(except)) return;
    this.onlyKeys(name, except, ["as", "steps"]);
    if (typeof except.as !== "string") this.say(name, "catches without a name");
    inside(except.steps);
  }

  private conditions(
    name: string,
    conditions: unknown,
    reachable: readonly string[],
    depth: number,
    looping: boolean,
  ): undefined {
    if (!Array.isArray(conditions) || conditions.length === 0) return this.say(name, "has no condition");
    if (conditions.length > WORKFLOW_LIMITS.conditions) this.say(name, "has too many conditions");
    for (const one of conditions) {
      const leads = LEADS_TO.filter((key) => isMapping(one) && key in one);
      if (!isMapping(one) || !("condition" in one) || leads.length !== 1) {
        this.say(name, `has a condition that does not lead to one of ${LEADS_TO.join(", ")}`);
        continue;
      }
      this.onlyKeys(name, one, ["condition", ...leads]);
      this.values(name, one.condition);
      this.jump(name, one.next, reachable, looping);
      this.values(name, one.return);
      this.values(name, one.raise);
      if ("steps" in one) this.list(one.steps, name, reachable, depth + 1, looping);
    }
  }

  private jump(name: string, next: unknown, reachable: readonly string[], looping: boolean): void {
    if (next === undefined || next === "end" || reachable.includes(String(next))) return;
    if (looping && (next === "break" || next === "continue")) return;
    this.say(name, `goes on at ${String(next)}, which is not there`);
  }

  private call(name: string, { call, args = {}, result }: Mapping): undefined {
    if (!isMapping(args)) return this.say(name, "has arguments without names");
    if (result !== undefined && typeof result !== "string") this.say(name, "has a result without a name");
    this.values(name, args);
    const taken = CALLS[String(call)];
    const workflow = this.source[String(call)];
    if (taken) return this.onlyKeys(name, args, taken);
    if (!isMapping(workflow) || call === "main") return this.say(name, `calls ${String(call)}, which is not there`);
    const params = paramsOf(workflow);
    this.onlyKeys(name, args, params);
    const missing = params.filter((param) => !(param in args));
    if (missing.length > 0) this.say(name, `calls ${String(call)} without ${missing.join(", ")}`);
  }

  private assign(name: string, assignments: unknown): undefined {
    if (!Array.isArray(assignments) || assignments.length === 0) return this.say(name, "assigns nothing");
    if (assignments.length > WORKFLOW_LIMITS.assignments) this.say(name, "has too many assignments");
    for (const one of assignments) {
      if (!isMapping(one) || Object.keys(one).length !== 1) this.say(name, "has an entry that is not one assignment");
      else this.values(name, Object.values(one)[0]);
    }
  }

  /** Every expression in a value. */
  private values(name: string, value: unknown): void {
    if (Array.isArray(value)) for (const one of value) this.values(name, one);
    else if (isMapping(value)) for (const one of Object.values(value)) this.values(name, one);
    else if (typeof value === "string" && value.includes("${")) this.expression(name, value);
  }

  private expression(name: string, text: string): undefined {
    const wrong = (why: string) => this.say(name, `has the expression ${text}, ${why}`);
    if (!text.startsWith("${") || !text.endsWith("}") || text.indexOf("${", 1) >= 0)
      return wrong("which is not the whole of its value");
    if (text.length > WORKFLOW_LIMITS.expressionCharacters)
      wrong(`which has more than ${WORKFLOW_LIMITS.expressionCharacters} characters`);
    const inner = text.slice(2, -1);
    const read = [...inner.matchAll(/sys\.get_env\("([^"]*)"\)/g)].map(([, one]) => one as string);
    for (const one of read)
      if (!this.variables.includes(one) && !BUILT_IN.test(one)) wrong(`and the variable ${one} is not set`);
    const bare = inner.replace(/"(?:[^"\\]|\\.)*"/g, '""');
    if (/["'`]/.test(bare.replaceAll('""', ""))) wrong("whose quotes do not match");
    let open = 0;
    for (const character of bare) {
      if (character === "(") open++;
      if (character === ")" && --open < 0) break;
    }
    if (open !== 0) wrong("whose parentheses do not match");
    if (/[{}]|(?:^|[^A-Za-z0-9_\])])\[/.test(bare)) wrong("which has a literal list or map");
    if (/&&|\|\||(?:^|[^=!<>])=(?:[^=]|$)/.test(bare)) wrong("which has an operator that there is not");
    for (const [word] of bare.replaceAll('""', " ").matchAll(/[A-Za-z_][A-Za-z0-9_.]*/g)) {
      const root = word.split(".")[0] ?? "";
      if (!OPERATORS.includes(word) && !FUNCTIONS.includes(word) && !this.known.has(root))
        wrong(`in which nothing says what ${word} is`);
    }
  }
}

const paramsOf = (workflow: Mapping): readonly string[] =>
  Array.isArray(workflow.params)
    ? workflow.params.map((param) => (isMapping(param) ? (Object.keys(param)[0] ?? "") : String(param)))
    : [];
