import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LINES_HELP } from "../stacks/lines";
import { checkSchema } from "./check-schema";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { deployOrder, orderProblems } from "./deploy-order";
import { googleSchema } from "./provider-schema";
import { type StackChoice, withStacks } from "./synthesize";
import { type Json, type SynthesizedStack, withScratch } from "./synthesized";
import { table } from "./table";
import { copyStack, findTerraform, firstPlan, providerProblem, resourceAddresses, Terraform } from "./terraform";
import { withTierStacks } from "./tiers";

interface Options extends StackChoice {
  readonly mock: boolean;
}

/** The command `npm run verify:terraform`. */
export async function verifyTerraform(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:terraform",
    "Lets Terraform and the real provider judge every stack: init, validate, a first plan without a call to Google, and an apply against a mocked provider.",
  )
    .option("--hospitals <file>", "a list of hospitals (JSON or TypeScript) in place of one of every tier")
    .option("--platform <file>", LINES_HELP.platform)
    .option("--out <dir>", "keep what is synthesized in this folder")
    .option("--dir <dir>", "verify a folder that was synthesized before")
    .option("--no-mock", "leave out terraform test with a mocked provider");
  return runTool(
    program,
    () => {
      const options = program.opts<Options>();
      const work = (stacks: readonly SynthesizedStack[]) =>
        withScratch((scratch) => verify(stacks, scratch, options.mock));
      if (options.dir === undefined && options.hospitals === undefined) return withTierStacks(options.out, work);
      return withStacks(options, work);
    },
    args,
  );
}

interface Verdict {
  readonly name: string;
  readonly resources: number;
  readonly steps: Readonly<Record<Step, "ok" | "failed" | "-">>;
  readonly problems: readonly string[];
}

const STEPS = ["schema", "init", "validate", "plan", "mock"] as const;
type Step = (typeof STEPS)[number];

function verify(stacks: readonly SynthesizedStack[], scratch: string, mock: boolean): number {
  const command = findTerraform();
  if (command === undefined) {
    print("Neither terraform nor tofu is on PATH: nothing was verified.");
    return EXIT.done;
  }
  const missing = providerProblem(command, scratch);
  if (missing !== undefined) {
    print(`${command} cannot get the provider hashicorp/google ~> 6.50, so nothing was verified: ${missing}`);
    return EXIT.done;
  }

  const verdicts: Verdict[] = [];
  for (const stack of stacks) {
    process.stderr.write(`${stack.name} ...\n`);
    verdicts.push(verifyStack(command, stack, scratch, mock));
  }
  print(
    table(
      [
        { title: "STACK", width: 40 },
        { title: "RESOURCES", width: 9, align: "right" },
        ...STEPS.map((step) => ({ title: step.toUpperCase(), width: 8 })),
      ],
      verdicts.map(({ name, resources, steps }) => [name, String(resources), ...STEPS.map((step) => steps[step])]),
    ),
  );
  const problems = [
    ...verdicts.flatMap((verdict) => verdict.problems.map((problem) => `${verdict.name}: ${problem}`)),
    ...orderProblems(stacks),
  ];
  if (problems.length > 0) {
    print(`\n${problems.join("\n")}`);
    return EXIT.failed;
  }
  const order = deployOrder(stacks);
  print(`\ncdktf deploy takes them in this order, and destroy the other way round: ${order.join(", ")}.`);
  print("Every first plan creates everything, reads nothing and calls nobody.");
  return EXIT.done;
}

function verifyStack(command: string, stack: SynthesizedStack, scratch: string, mock: boolean): Verdict {
  const folder = join(scratch, stack.name);
  copyStack(stack, folder);
  const terraform = new Terraform(command, folder, scratch);
  const steps: Record<Step, "ok" | "failed" | "-"> = { schema: "-", init: "-", validate: "-", plan: "-", mock: "-" };
  const problems: string[] = [];
  const step = (name: Step, found: readonly string[]): boolean => {
    steps[name] = found.length === 0 ? "ok" : "failed";
    problems.push(...found.map((text) => `${name}: ${text}`));
    return found.length === 0;
  };
  const done = () => ({ name: stack.name, resources: resourceAddresses(stack.json).length, steps, problems });

  step(
    "schema",
    checkSchema(googleSchema(), stack.json).map(({ address, message }) => `${address}: ${message}`),
  );
  const init = terraform.init();
  if (!step("init", init.ok ? [] : [tail(init.stderr)])) return done();

  const validated = terraform.run(["validate", "-json"]);
  const { diagnostics = [] } = parse(validated.stdout) as { diagnostics?: { summary: string; detail?: string }[] };
  if (
    !step(
      "validate",
      diagnostics.map(({ summary, detail }) => `${summary} ${detail ?? ""}`.trim()),
    )
  )
    return done();

  const planned = terraform.run(["plan", "-input=false", "-no-color", "-refresh=true", "-out=plan.bin"]);
  if (!step("plan", planned.ok ? [] : [tail(planned.stderr)])) return done();
  const plan = parse(terraform.run(["show", "-json", "plan.bin"]).stdout);
  step("plan", firstPlan(plan, stack.json).problems);
  if (mock) step("mock", applyMocked(command, stack, scratch));
  return done();
}

/** `terraform test`: plans and applies with a provider that invents what Google would compute, and destroys it again. */
function applyMocked(command: string, stack: SynthesizedStack, scratch: string): string[] {
  const folder = join(scratch, `${stack.name}-mock`);
  copyStack(stack, folder, (json) => {
    // A test destroys what it made.
    const types = (json.resource ?? {}) as Record<string, Record<string, { lifecycle?: Json }>>;
    for (const instances of Object.values(types))
      for (const config of Object.values(instances)) if (config.lifecycle) delete config.lifecycle.prevent_destroy;
  });
  mkdirSync(join(folder, "tests"), { recursive: true });
  writeFileSync(join(folder, "tests", "apply.tftest.hcl"), MOCKED_TEST);
  const terraform = new Terraform(command, folder, scratch);
  const init = terraform.init();
  if (!init.ok) return [tail(init.stderr)];
  const { ok, stdout, stderr } = terraform.run(["test", "-no-color"]);
  return ok ? [] : [tail(`${stdout}\n${stderr}`)];
}

/** Computed values that another resource checks the form of; anything else may be an invented word. */
const MOCKED_TEST = `mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "mocked@mocked-project.iam.gserviceaccount.com"
      member = "serviceAccount:mocked@mocked-project.iam.gserviceaccount.com"
      name   = "projects/mocked-project/serviceAccounts/mocked@mocked-project.iam.gserviceaccount.com"
      id     = "projects/mocked-project/serviceAccounts/mocked@mocked-project.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:service-100000000001@gcp-sa-logging.iam.gserviceaccount.com" }
  }
}

run "apply" {
  command = apply
}
`;

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}

/** What an error says and where, without the excerpt of the configuration. */
function tail(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/[│╷╵]/g, " ").trim().slice(0, 300));
  const errors = lines.filter((line) => /^(?:Error:|with \S+,$)/.test(line));
  return (errors.length > 0 ? errors : lines.filter((line) => line !== "")).slice(-12).join(" ");
}

ifMain(module, verifyTerraform);
