import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { repositoryRoot } from "../constructs/core/repository";
import {
  type CalibrationGap,
  calibrationGap,
  describeUnknown,
  estimatedAccuracy,
  heldOutAnswers,
  type Share,
} from "../runtime/monitor";
import { ConfigurationError } from "../runtime/platform/config";
import { sigmoid } from "../runtime/platform/numbers";
import { mixSeed, normal, uniform } from "../runtime/platform/random";
import { openWorkspace } from "../runtime/platform/workspace";
import { EXIT, ifMain, print, runTool, tool } from "./command";

/** What judges, and what `scripts/setup-nannyml.js` brings, which the command runs before this. */
const JUDGE = join(repositoryRoot(), "scripts", "verify-estimate.py");
const PYTHON = join(repositoryRoot(), ".parts", "nannyml", "bin", "python");

/** The same sum in another order: what is left is rounding. */
const TOLERANCE = 1e-9;

interface Labelled {
  readonly probability: number;
  readonly label: "Cancer" | "Non-Cancer";
  readonly group?: string;
}

interface Case {
  readonly name: string;
  readonly threshold: number;
  /** Held-out scans, on which the calibration is measured. */
  readonly reference: readonly Labelled[];
  /** Scans whose labels no estimate sees. */
  readonly scans: readonly Labelled[];
}

/** What NannyML says of a case. */
const judgedSchema = z.object({
  /** With the probabilities as they are. */
  given: z.number(),
  /** With its own decision of whether these are calibrated anew, and that. */
  own: z.number(),
  recalibrated: z.boolean(),
  /** Its sampling error: one standard error. */
  error: z.number(),
});
type Judged = Readonly<z.infer<typeof judgedSchema>>;
const saidSchema = z.object({ version: z.string(), answers: z.array(judgedSchema) });

/** Has NannyML estimate accuracy without labels on the same numbers, and compares. */
export function verifyEstimate(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:estimate",
    "Compares the accuracy that monitoring estimates without labels with NannyML's CBPE on the same probabilities: drawn ones of known truth and, with --out, a workspace's held-out answers.",
  )
    .option("--out <dir>", "a workspace whose current model has answered: npm run score")
    .option("--python <command>", "a Python 3.11 or newer that has nannyml", PYTHON)
    .option("--json", "for a machine")
    .addHelpText(
      "after",
      `\nExits with 1 if an estimate differs from NannyML's with the same probabilities by more than ${TOLERANCE}, or if the one that\n` +
        "NannyML gives by itself, calibrated anew where it thinks that is needed, lies outside of the interval that is told here.",
    );
  return runTool(
    program,
    async () => {
      const { out, python, json } = program.opts<{ out?: string; python: string; json?: true }>();
      const cases = [...drawnCases(), ...(out === undefined ? [] : [await workspaceCase(out)])];
      const { version, answers } = await ask(python, cases);
      const compared = cases.map((one, i) => compare(one, answers[i] as Judged));
      const problems = compared.flatMap((one) => one.problems);
      if (json) print(JSON.stringify({ nannyml: version, tolerance: TOLERANCE, cases: compared }, null, 2));
      else {
        print(`NannyML ${version}: CBPE of accuracy, ${cases.length} cases.`);
        for (const one of compared) for (const line of described(one)) print(line);
        for (const problem of problems) print(problem);
        print(problems.length === 0 ? "No difference beyond the tolerance." : `${problems.length} differences.`);
      }
      return problems.length === 0 ? EXIT.done : EXIT.failed;
    },
    args,
  );
}

interface Drawn {
  readonly scans?: number;
  readonly threshold?: number;
  /** Standard deviation of the log odds, and their mean. */
  readonly spread?: number;
  readonly centre?: number;
  /** Mean of the log odds of the scans whose labels are not seen. */
  readonly shifted?: number;
  /** Added to the log odds that labels follow. */
  readonly wrong?: number;
}

const DRAWN: Readonly<Record<string, Drawn>> = {
  calibrated: {},
  "calibrated, a day's 40 scans": { scans: 40 },
  "calibrated, 20,000 scans": { scans: 20_000 },
  "threshold .1": { threshold: 0.1 },
  "nearly certain": { spread: 8 },
  "hardly certain": { spread: 0.4 },
  "Cancer is rare": { centre: -3.5 },
  "other scans than the reference, calibration holds": { shifted: 2 },
  "reference not calibrated": { wrong: -3 },
};

function drawnCases(): readonly Case[] {
  return Object.entries(DRAWN).map(([name, drawn], i) => {
    const { scans = 800, threshold = 0.5, spread = 2.5, centre = 0, shifted = centre, wrong = 0 } = drawn;
    const draw = (count: number, mean: number, seed: number): Labelled[] => {
      const random = uniform(mixSeed(i, seed));
      const deviation = normal(random);
      return Array.from({ length: count }, () => {
        const odds = mean + spread * deviation();
        return { probability: sigmoid(odds), label: random() < sigmoid(odds + wrong) ? "Cancer" : "Non-Cancer" };
      });
    };
    return { name, threshold, reference: draw(800, centre, 1), scans: draw(scans, shifted, 2) };
  });
}

/** The validation split as the reference, the test split as what comes. */
async function workspaceCase(directory: string): Promise<Case> {
  if (!existsSync(join(directory, "workspace.json")))
    throw new ConfigurationError("--out", [
      `"${directory}" is no workspace: npm run demo or npm run ingest makes one.`,
    ]);
  const workspace = await openWorkspace(directory);
  try {
    const held = await heldOutAnswers({ models: workspace.buckets.models, warehouse: workspace.warehouse });
    const of = (split: string) => held?.scans.filter((scan) => scan.split === split) ?? [];
    const [reference, scans] = [of("validation"), of("test")];
    if (!held || reference.length === 0 || scans.length === 0)
      throw new ConfigurationError("--out", [
        `In "${directory}" lie no answers of a current model for the validation and the test split: run npm run train and npm run score on it.`,
      ]);
    return { name: `${held.model}: test split, validation as reference`, threshold: held.threshold, reference, scans };
  } finally {
    await workspace.close();
  }
}

/** @throws {Error} with what Python said, if it ended otherwise than with an answer a case */
async function ask(python: string, cases: readonly Case[]): Promise<z.infer<typeof saidSchema>> {
  const probabilities = (scans: readonly Labelled[]) => scans.map(({ probability }) => probability);
  const asked = cases.map(({ threshold, reference, scans }) => ({
    threshold,
    reference: {
      probabilities: probabilities(reference),
      labels: reference.map(({ label }) => (label === "Cancer" ? 1 : 0)),
    },
    probabilities: probabilities(scans),
  }));
  const child = spawn(python, [JUDGE], { stdio: ["pipe", "pipe", "pipe"] });
  // One that ends early is spoken of below.
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(asked));
  const [said, complaint, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    (once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      throw new ConfigurationError("--python", [`There is no ${python}. npm run setup:nannyml installs it.`]);
    }),
  ]);
  const ended = `NannyML ended by ${signal ?? `exit code ${code}`}: ${complaint.trim().split("\n").slice(-3).join(" ")}`;
  if (code !== EXIT.done) throw new Error(ended);
  const found = saidSchema.safeParse(parsed(said)).data;
  if (found?.answers.length !== cases.length)
    throw new Error(
      `NannyML did not give an estimate of each of the ${cases.length} cases, but: ${said.slice(0, 500)}`,
    );
  return found;
}

/** What is no JSON, such as one with NaN in it, says nothing. */
function parsed(said: string): unknown {
  try {
    return JSON.parse(said);
  } catch {
    return undefined;
  }
}

interface Compared {
  readonly name: string;
  readonly scans: number;
  /** What the labels say, which no estimate has seen. */
  readonly true: number;
  readonly estimate: Share;
  /** The mean probability that each label is right, told or not. */
  readonly mean: number;
  readonly nannyml: Judged;
  /** Ours less NannyML's with the same probabilities. */
  readonly difference: number;
  readonly problems: readonly string[];
}

/** Nothing is known against the calibration: the estimate is told. */
const BELIEVED: CalibrationGap = { gap: 0, error: 0, scans: 0 };

function compare({ name, threshold, reference, scans }: Case, nannyml: Judged): Compared {
  const probabilities = scans.map(({ probability }) => probability);
  const estimate = estimatedAccuracy(probabilities, threshold, {
    gap: calibrationGap(reference, threshold),
    inputDrift: false,
  });
  const { value } = estimatedAccuracy(probabilities, threshold, { gap: BELIEVED, inputDrift: false });
  if (value === null) throw new Error(`${name}: ${scans.length} scans are too few for an estimate.`);
  const right = scans.filter(({ probability, label }) => probability >= threshold === (label === "Cancer")).length;
  const difference = value - nannyml.given;
  const problems: string[] = [];
  if (!(Math.abs(difference) <= TOLERANCE))
    problems.push(
      `${name}: the estimate is ${value}, NannyML's ${nannyml.given}: they differ by ${difference}, and by ${TOLERANCE} at most they may.`,
    );
  if (estimate.value !== null && !(nannyml.own >= estimate.low && nannyml.own <= estimate.high))
    problems.push(
      `${name}: NannyML by itself says ${nannyml.own}, outside of ${estimate.low} to ${estimate.high} that is told here.`,
    );
  return {
    name,
    scans: scans.length,
    true: right / scans.length,
    estimate,
    mean: value,
    nannyml,
    difference,
    problems,
  };
}

function described({ name, scans, true: right, estimate, mean, nannyml, difference }: Compared): string[] {
  const told =
    estimate.value === null
      ? `not told, ${describeUnknown(estimate.reason)}`
      : `${estimate.low.toFixed(4)} to ${estimate.high.toFixed(4)}`;
  const again = nannyml.recalibrated ? "calibrated anew" : "calibration believed";
  return [
    `${name} (${scans} scans, true ${right.toFixed(4)})`,
    `  here    ${mean.toFixed(15)}  (${told})`,
    `  NannyML ${nannyml.given.toFixed(15)}  difference ${difference.toExponential(1)}; by itself ${nannyml.own.toFixed(4)} (${again}), 3 sampling errors ${(3 * nannyml.error).toFixed(4)}`,
  ];
}

ifMain(module, verifyEstimate);
