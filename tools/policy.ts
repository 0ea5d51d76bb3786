import {
  evaluatePolicy,
  type Finding,
  mirroredNumbers,
  openFindings,
  RULES,
  stackDocument,
  unknownAcknowledgements,
} from "../constructs/policy";
import { IMAGE_LOCK, type ImageLock, missingImages, readImageLock } from "../stacks/images";
import { LINES_HELP } from "../stacks/lines";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { type StackChoice, withStacks } from "./synthesize";
import { table } from "./table";

interface Options extends StackChoice {
  readonly rules?: boolean;
  readonly json?: boolean;
}

/**
 * The command `npm run policy`.
 * @param lock the images that were pushed; what the others will bring is checked with stand-ins
 */
export async function policy(args: readonly string[], lock?: ImageLock): Promise<number> {
  const program = tool("policy", "Checks synthesized stacks against the rule pack. Exit code 1 if a finding is open.")
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--out <dir>", "keep what is synthesized in this folder")
    .option("--dir <dir>", "check a folder that was synthesized before, as it is")
    .option("--rules", "list the rules and what they mirror")
    .option("--json", "print the findings as JSON")
    .option("--seed <n>", "accepted as everywhere; nothing is drawn at random");
  return runTool(
    program,
    () => {
      const options = program.opts<Options>();
      if (options.rules) {
        print(listRules());
        return EXIT.done;
      }
      const images = lock ?? readImageLock();
      const missing = options.dir === undefined ? missingImages(images) : [];
      // Nothing with a stand-in in it is kept: somebody might deploy it.
      const { out, ...choice } = options;
      if (missing.length > 0 && out !== undefined) withStacks(options, () => {}, { policy: false, app: { images } });
      return withStacks(
        missing.length > 0 ? choice : options,
        (stacks) => {
          const documents = stacks.map(({ name, json }) => stackDocument(name, json));
          const reports = documents.map((document) => ({ document, findings: evaluatePolicy(document) }));
          const findings = reports.flatMap((report) => report.findings);
          const unknown = documents.flatMap(unknownAcknowledgements);
          if (options.json) print(JSON.stringify(findings.map(toJson), null, 2));
          else
            report(
              findings,
              unknown,
              documents.reduce((sum, { resources }) => sum + resources.length, 0),
              stacks.length,
            );
          if (missing.length > 0)
            process.stderr.write(
              `${IMAGE_LOCK} has no image ${missing.join(", ")}: what runs them was checked with stand-ins in their place.\n`,
            );
          return openFindings(findings).length + unknown.length > 0 ? EXIT.failed : EXIT.done;
        },
        { policy: false, app: { images, standIns: true } },
      );
    },
    args,
  );
}

function report(findings: readonly Finding[], unknown: readonly string[], resources: number, stacks: number): void {
  const open = openFindings(findings);
  const accepted = findings.filter(({ acknowledged }) => acknowledged !== undefined);
  if (open.length > 0) print(`${findingsTable(open)}\n`);
  if (accepted.length > 0) print(`Acknowledged:\n${acknowledgedTable(accepted)}\n`);
  for (const line of unknown) print(line);
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  print(
    `${count(RULES.length, "rule")}, ${count(stacks, "stack")}, ${count(resources, "resource")}: ${count(open.length, "finding")}, ${accepted.length} acknowledged.`,
  );
}

const where = ({ stack, address }: Finding) => (address === "" ? stack : `${stack} ${address}`);

export function findingsTable(findings: readonly Finding[]): string {
  return table(
    [
      { title: "SEVERITY", width: 8 },
      { title: "RULE", width: 32 },
      { title: "RESOURCE", width: 48 },
      { title: "CKV / CIS", width: 24 },
      { title: "FOUND, AND WHAT TO DO", width: 70 },
    ],
    findings.map((finding) => [
      finding.rule.severity,
      finding.rule.id,
      where(finding),
      mirroredNumbers(finding.rule),
      `${finding.problem}. ${finding.rule.remedy}`,
    ]),
  );
}

function acknowledgedTable(findings: readonly Finding[]): string {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.rule.id} ${finding.acknowledged}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return table(
    [
      { title: "RULE", width: 32 },
      { title: "RESOURCE", width: 56 },
      { title: "REASON", width: 80 },
    ],
    [...groups.values()].flatMap((group) =>
      group.map((finding, index) => [
        index === 0 ? finding.rule.id : "",
        where(finding),
        index === 0 ? (finding.acknowledged ?? "") : "(the same)",
      ]),
    ),
  );
}

function listRules(): string {
  return table(
    [
      { title: "SEVERITY", width: 8 },
      { title: "RULE", width: 32 },
      { title: "CKV / CIS", width: 36 },
      { title: "WHAT MUST HOLD", width: 80 },
    ],
    RULES.map((rule) => [rule.severity, rule.id, mirroredNumbers(rule), rule.title]),
  );
}

function toJson({ rule, stack, address, problem, acknowledged }: Finding) {
  const { id, severity, checkov, cis, remedy } = rule;
  return { rule: id, severity, checkov, cis, stack, address, problem, remedy, acknowledged: acknowledged ?? null };
}

ifMain(module, policy);
