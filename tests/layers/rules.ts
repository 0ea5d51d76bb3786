import { posix } from "node:path";
import { type Import, importsOf } from "./imports";

/** The trees that are held, and which of the others each may import. */
const TREES: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  constructs: ["runtime"],
  stacks: ["constructs", "runtime"],
  tools: ["stacks", "constructs", "runtime"],
};

const CAPABILITIES = ["ingest", "preprocess", "features", "score", "train", "serve", "monitor"];
/** What each room of `runtime/` stands on; it may import that and whatever that stands on. */
const RUNTIME: Readonly<Record<string, readonly string[]>> = {
  platform: [],
  imaging: ["platform"],
  intake: ["imaging"],
  // What comes back to the hospital: the answers of studies, as other systems take them.
  gateway: ["study", "exchange"],
  pacs: ["intake"],
  deliver: ["platform"],
  guard: ["imaging"],
  // Pretrained networks of others: what features are taken from, and what teaches.
  backbone: ["imaging"],
  exchange: ["platform"],
  phantom: ["intake"],
  dataset: ["intake", "guard", "phantom"],
  model: ["dataset"],
  similar: ["dataset"],
  audit: ["platform"],
  registry: ["model"],
  report: ["intake"],
  explain: ["model", "report"],
  study: ["model"],
  evaluate: ["explain", "similar", "study"],
  promotion: ["registry", "evaluate"],
  tensorflow: ["model"],
  ...Object.fromEntries(CAPABILITIES.map((name) => [name, ["registry", "evaluate", "audit"]])),
  // What leaves for other systems.
  serve: ["promotion", "audit", "exchange", "deliver"],
  // What trains computes with TensorFlow.js; nothing that answers may load it.
  train: ["promotion", "tensorflow", "backbone"],
  features: ["registry", "evaluate", "backbone"],
  forget: ["registry", "audit"],
  // What promotes is given to it by the command line.
  canary: ["promotion"],
  // Its steps preprocess and train are given to it by the command line, or done elsewhere in the cloud.
  retrain: ["promotion", "audit"],
  cli: [...CAPABILITIES, "gateway", "forget", "retrain", "canary"],
};

const PAIRED = ["ingest", "preprocess", "train", "serve"];
/** The same for `constructs/`. */
const CONSTRUCTS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  policy: ["core"],
  security: ["policy"],
  storage: ["security"],
  network: ["security"],
  warehouse: ["security"],
  observability: ["security"],
  ...Object.fromEntries(PAIRED.map((name) => [name, ["storage", "network", "warehouse", "observability"]])),
  gateway: ["storage"],
  erasure: ["pacs", "storage", "warehouse"],
  // Its function is called as that of ingest is.
  pacs: ["ingest"],
  deliver: ["pacs"],
  // It runs the cluster and the machine of these, and is built as the function of ingest is.
  retrain: ["ingest", "preprocess", "train"],
  // Their work is a step of the workflow that preprocess makes, on the same cluster.
  features: ["preprocess"],
  score: ["preprocess"],
  monitor: ["preprocess"],
  schedule: ["security"],
  audit: ["schedule", "storage"],
};

/** Folders without a door: each file is a small thing of its own, and is imported by its name. */
const OPEN_FOLDERS = ["runtime/platform", "constructs/core"];

/** Imports that a rule would refuse. One that nothing makes use of any more is a problem itself. */
export interface Exception {
  /** File, or folder with a slash at its end, that imports. */
  readonly from: string;
  /** What is imported: a file without its ending, or a room. */
  readonly to: string;
  readonly reason: string;
}

const NAMES_ALONE = "The names of backends alone: the room's index loads TensorFlow.js, which takes a second.";
const DRIVERS = "It starts the drivers that the contract names, without loading the capability.";
const PROBE = "It sends what the demo draws, and looks for the row by the name that ingest gives it.";

export const EXCEPTIONS: readonly Exception[] = [
  {
    from: "runtime/promotion/change-plan.ts",
    to: "change-plan.json",
    reason: "The plan that the hospital signs is no source; what is built holds to the one that lay beside it.",
  },
  {
    from: "tools/verify-terraform.ts",
    to: "tests/echo",
    reason: "What stands in for Google is a test's; the command starts it, and knows it by tools/google-apis.ts alone.",
  },
  { from: "runtime/cli/spark.ts", to: "runtime/features/contract", reason: DRIVERS },
  { from: "runtime/cli/spark.ts", to: "runtime/preprocess/contract", reason: DRIVERS },
  { from: "runtime/cli/spark.ts", to: "runtime/score/contract", reason: DRIVERS },
  { from: "runtime/cli/spark.ts", to: "runtime/monitor/contract", reason: DRIVERS },
  ...["runtime/serve/monitoring.ts", "runtime/serve/routes/monitoring.ts"].map((from) => ({
    from,
    to: "runtime/monitor",
    reason:
      "What an alarm means and what to do has one home; serve shows what monitoring stored, and computes none of it.",
  })),
  ...["retrain", "simulate"].map((command) => ({
    from: `runtime/cli/commands/${command}.ts`,
    to: "runtime/retrain/contract",
    reason: "What the options may say: the room's index loads what measures models.",
  })),
  { from: "runtime/cli/", to: "runtime/tensorflow/backend-names", reason: NAMES_ALONE },
  { from: "runtime/train/", to: "runtime/tensorflow/backend-names", reason: NAMES_ALONE },
  {
    from: "tools/verify-exchange.ts",
    to: "runtime/exchange",
    reason: "It has what this writes judged by others, and concerns nothing that is deployed.",
  },
  {
    from: "tools/verify-estimate.ts",
    to: "runtime/monitor",
    reason: "It has what this estimates judged by another, and concerns nothing that is deployed.",
  },
  {
    from: "constructs/monitor/",
    to: "runtime/monitor/signals",
    reason:
      "Alerts are made of what the step says, in its words and with its rates: names and sentences, nothing that runs.",
  },
  {
    from: "tools/doctor/canary.ts",
    to: "runtime/registry",
    reason: "What is written down of a canary has one home: it reads the record that the commands keep.",
  },
  { from: "tools/doctor/probe.ts", to: "runtime/phantom", reason: PROBE },
  { from: "tools/doctor/probe.ts", to: "runtime/ingest", reason: PROBE },
  {
    from: "tools/verify-text.ts",
    to: "runtime/guard",
    reason: "It measures what ingest relies on, and is run by hand.",
  },
  ...["tools/python-judge.ts", "tools/verify-dicom.ts", "tools/verify-text.ts"].map((from) => ({
    from,
    to: "runtime/imaging",
    reason: "It compares what this decodes with another decoder, and concerns nothing that is deployed.",
  })),
];

/**
 * Everything in which sources break the direction of imports: a sentence each, with file and line first.
 *
 * @param sources text by path from the repository's root: every TypeScript file of the four trees
 */
export function layerProblems(
  sources: ReadonlyMap<string, string>,
  exceptions: readonly Exception[] = EXCEPTIONS,
): readonly string[] {
  const house = new House(sources);
  const used = new Set<Exception>();
  const problems: string[] = [];
  for (const [file, text] of sources)
    for (const { specifier, line } of importsIn(text)) {
      const target = specifier === undefined ? COMPUTED : house.find(file, specifier);
      const rule = target && house.broken(file, target);
      if (target === undefined || rule === undefined) continue;
      const name = target.replace(/\/index$/, "");
      const allowing = exceptions.filter(({ from, to }) => to === name && covers(from, file));
      for (const exception of allowing) used.add(exception);
      if (allowing.length === 0) problems.push(`${file}:${line} imports ${name}: ${rule}`);
    }
  for (const exception of exceptions)
    if (!used.has(exception))
      problems.push(
        `${HERE}: nothing uses the exception from ${exception.from} to ${exception.to} any more; remove it.`,
      );
  for (const [tree, rooms] of Object.entries(ROOMS))
    for (const room of Object.keys(rooms))
      if (!house.has(`${tree}/${room}`)) problems.push(`${HERE}: there is no ${tree}/${room} any more; remove it.`);
  return problems;
}

const HERE = "tests/layers/rules.ts";
const COMPUTED = "what it computes";
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  runtime: RUNTIME,
  constructs: CONSTRUCTS,
};

/** A text is parsed once, however often the whole is looked at with one file changed. */
const parsed = new Map<string, readonly Import[]>();
const importsIn = (text: string): readonly Import[] => {
  const known = parsed.get(text) ?? importsOf(text);
  parsed.set(text, known);
  return known;
};

const covers = (place: string, path: string) => (place.endsWith("/") ? path.startsWith(place) : path === place);

/** Where a file stands: `runtime/model/score.ts` in tree runtime and room model. */
interface Place {
  readonly tree: string;
  /** Empty for files of the tree itself. */
  readonly room: string;
  /** The module that stands for what lies around it; undefined where each file stands for itself. */
  readonly door: string | undefined;
}

class House {
  constructor(private readonly sources: ReadonlyMap<string, string>) {}

  has(folder: string): boolean {
    return [...this.sources.keys()].some((file) => file.startsWith(`${folder}/`));
  }

  /** The module that a relative specifier names, a path without its ending; undefined for a package. */
  find(file: string, specifier: string): string | undefined {
    if (!specifier.startsWith(".")) return undefined;
    const wanted = posix.join(posix.dirname(file), specifier).replace(/\.[jt]s$/, "");
    return [wanted, `${wanted}/index`].find((path) => this.sources.has(`${path}.ts`)) ?? wanted;
  }

  /** The rule that an import breaks, as a sentence. */
  broken(file: string, target: string): string | undefined {
    if (target === COMPUTED) return "a name that is not written out cannot be held to the layers.";
    if (!this.sources.has(`${target}.ts`))
      return `it is no source file of ${Object.keys(TREES).join(", ")}, and nothing else is imported by these.`;
    const from = this.place(file);
    const to = this.place(target);
    if (from.tree !== to.tree) return betweenTrees(from, to, target);
    if (from.room === to.room) return undefined;
    return betweenRooms(from, to) ?? throughDoor(to, target);
  }

  private place(file: string): Place {
    const [tree = "", ...inner] = file.split("/");
    if (inner.length < 2) return { tree, room: "", door: undefined };
    const [room = "", part = ""] = inner;
    const folder = `${tree}/${room}`;
    if (!OPEN_FOLDERS.includes(folder)) return { tree, room, door: `${folder}/index` };
    const door = `${folder}/${part}/index`;
    return { tree, room, door: this.sources.has(`${door}.ts`) ? door : undefined };
  }
}

function betweenTrees(from: Place, to: Place, target: string): string | undefined {
  if (!TREES[from.tree]?.includes(to.tree))
    return `imports go stacks -> constructs -> contracts of runtime; ${from.tree} never imports ${to.tree}.`;
  if (to.tree !== "runtime") return throughDoor(to, target);
  if (to.room === "platform" || target === `runtime/${to.room}/contract`) return undefined;
  return `what is deployed is known by its contract: of runtime, ${from.tree} imports contracts and platform alone.`;
}

function betweenRooms(from: Place, to: Place): string | undefined {
  const rooms = ROOMS[from.tree];
  if (!rooms) return undefined;
  for (const { tree, room } of [from, to])
    if (!(room in rooms)) return `${tree}/${room} has no place in the layers; give it one in ${HERE}.`;
  const below = reach(rooms, from.room);
  if (below.includes(to.room)) return undefined;
  const { tree, room } = from;
  if (tree === "runtime" && [room, to.room].every((name) => CAPABILITIES.includes(name)))
    return "capabilities never import each other; they meet in dataset, model and registry.";
  if (below.length === 0) return `${tree}/${room} is the lowest room and imports no other.`;
  return `imports point one way, and ${tree}/${room} stands on ${below.join(", ")} alone.`;
}

function throughDoor({ tree, room, door }: Place, target: string): string | undefined {
  if (door === undefined || door === target) return undefined;
  return `no room imports another's inside; what ${tree}/${room} has for others stands in ${door}.ts.`;
}

/** The rooms that a room stands on, directly or not, in the order of the table. */
function reach(rooms: Readonly<Record<string, readonly string[]>>, room: string): readonly string[] {
  const reached = new Set<string>();
  const add = (name: string) => {
    for (const below of rooms[name] ?? [])
      if (!reached.has(below)) {
        reached.add(below);
        add(below);
      }
  };
  add(room);
  return Object.keys(rooms).filter((name) => reached.has(name));
}
