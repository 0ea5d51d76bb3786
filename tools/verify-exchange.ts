import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ReportedStudy, secondaryCapture, structuredReport } from "../runtime/exchange";
import { ConfigurationError } from "../runtime/platform/config";
import { EXIT, ifMain, print, runTool, tool } from "./command";

/** What judges, and the Debian package that has it. */
const JUDGES = { dciodvfy: "dicom3tools", dsrdump: "dcmtk" } as const;

const ANSWER: ReportedStudy = {
  request: "6f6a4f4c-6e0f-4c62-9f0e-000000000001",
  answeredAt: "2026-03-01T10:11:12.345Z",
  model: "model-20260301-abcdef",
  modelSha256: "0123456789abcdef".repeat(4),
  recipe: "recipe-128",
  probability: 0.8312345678,
  decision: "Cancer",
  threshold: 0.41,
  uncertain: { low: 0.35, high: 0.5 },
  page: 2,
  pages: 3,
  peak: { x: 10, y: 20 },
  verdict: {
    fit: false,
    sentence: "Not fit for use: it was measured on 3 independent groups only, \u2265 20 are the least.",
  },
  synthetic: false,
  disclaimer: "Not for diagnostic use.",
  image: {
    study: "2.25.255229640212394387215464937464823212281",
    series: "2.25.255229640212394387215464937464823212282",
    instance: "2.25.255229640212394387215464937464823212283",
    sopClass: "1.2.840.10008.5.1.4.1.1.4.1",
    frame: 2,
    patient: "0123456789abcdef".repeat(4),
    accession: "0123456789ABCDEF",
    point: { column: 10.5, row: 20.25 },
    burnedIn: "NO",
  },
};

/** Answers that differ in everything that a document may say or leave out. */
const ANSWERS: Readonly<Record<string, ReportedStudy>> = {
  "frame of an Enhanced MR, unfit model": ANSWER,
  "MR Image, fit model, no band": {
    ...ANSWER,
    decision: "Non-Cancer",
    probability: 1e-9,
    uncertain: null,
    page: 1,
    pages: 1,
    verdict: { fit: true, sentence: "Fit for research." },
    image: { ...ANSWER.image, sopClass: "1.2.840.10008.5.1.4.1.1.4", frame: undefined },
  },
  "patient and order unknown, text in the pixels": {
    ...ANSWER,
    decision: "Uncertain",
    image: { ...ANSWER.image, patient: undefined, accession: undefined, burnedIn: "YES" },
  },
  "nothing said of text": { ...ANSWER, image: { ...ANSWER.image, burnedIn: undefined } },
};

/** Has tools of others judge the DICOM objects that answers leave as. */
export function verifyExchange(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:exchange",
    "Has dciodvfy (dicom3tools) and dsrdump (dcmtk) judge the structured reports and secondary captures of drawn answers.",
  ).option("--out <dir>", "where the files stay; without it they are deleted");
  return runTool(
    program,
    () => {
      const { out } = program.opts<{ out?: string }>();
      checkJudges();
      const folder = out ?? mkdtempSync(join(tmpdir(), "verify-exchange-"));
      mkdirSync(folder, { recursive: true });
      try {
        const problems = Object.entries(ANSWERS).flatMap(([name, answer], i) =>
          judged(folder, `${i + 1}`, name, answer),
        );
        for (const problem of problems) print(problem);
        print(problems.length === 0 ? "No error." : `${problems.length} errors.`);
        return problems.length === 0 ? EXIT.done : EXIT.failed;
      } finally {
        if (out === undefined) rmSync(folder, { recursive: true });
      }
    },
    args,
  );
}

/** @throws {ConfigurationError} that names every one that is missing */
function checkJudges(): void {
  const missing = Object.entries(JUDGES).filter(([command]) => spawnSync(command, ["--version"]).error !== undefined);
  if (missing.length === 0) return;
  throw new ConfigurationError(
    "verify:exchange",
    missing.map(([command, name]) => `There is no ${command}. On Debian and Ubuntu: sudo apt-get install ${name}`),
  );
}

/** The errors that are found in the objects of an answer, a sentence each. */
function judged(folder: string, number: string, name: string, answer: ReportedStudy): string[] {
  const overlay = { width: 301, height: 200, rgb: Buffer.alloc(3 * 301 * 200, 80) };
  const files = { sr: structuredReport(answer), sc: secondaryCapture(answer, overlay) };
  return Object.entries(files).flatMap(([kind, bytes]) => {
    const path = join(folder, `${number}.${kind}.dcm`);
    writeFileSync(path, bytes);
    const found = errorsOf("dciodvfy", path, /^Error/);
    if (kind === "sr") found.push(...errorsOf("dsrdump", path, /^[EF]:/));
    print(`${found.length === 0 ? "ok    " : "errors"} ${kind}  ${name}`);
    return found.map((error) => `${path}: ${error}`);
  });
}

function errorsOf(command: keyof typeof JUDGES, path: string, error: RegExp): string[] {
  const { status, signal, stdout, stderr } = spawnSync(command, [path], { encoding: "utf8" });
  const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => error.test(line));
  // dciodvfy ends with 1 for warnings too.
  if (lines.length === 0 && (signal !== null || (command === "dsrdump" && status !== 0)))
    return [`${command} ended by ${signal ?? `exit code ${status}`}: ${stderr.trim()}`];
  return lines.map((line) => `${command}: ${line}`);
}

ifMain(module, verifyExchange);
