import { Command, InvalidArgumentError, Option } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
import type { Taught } from "../../retrain";
import { RETRAIN_DEFAULTS, samePersonList, TRIGGERS, type Trigger } from "../../retrain/contract";
import type { Backend } from "../../tensorflow";
import { EXIT, requireWorkspace, wholeNumber } from "../command-line";
import { backend, epochs, out, seed } from "../options";
import type { Retrained, RetrainStatus } from "../retrain";
import { serveTeacher, type TeacherFlags, taughtBy, teacher, teacherEpochs } from "../teacher";

interface Flags extends TeacherFlags {
  readonly out: string;
  readonly seed?: number;
  readonly epochs?: number;
  readonly backend?: Backend;
  readonly trigger: Trigger;
  readonly everyDays: number;
  readonly newScans: number;
  readonly learnFromFeedback?: true;
  readonly samePerson?: readonly (readonly string[])[];
  readonly check?: true;
  readonly status?: true;
  readonly giveUp?: true;
  readonly json?: true;
}

/** `retrain --out DIR [--trigger WHO] [--check | --status | --give-up] [--json]` */
export function retrainCommand(): Command {
  return new Command("retrain")
    .description(
      "train a model on all labelled scans, measure it and the current one on the same scans, and promote it or not; a run that was cut short is gone on with",
    )
    .addOption(out())
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .addOption(teacher())
    .addOption(teacherEpochs())
    .addOption(serveTeacher())
    .addOption(
      new Option("--trigger <who>", "who asks: a person always may, the others begin only what is due")
        .choices(TRIGGERS)
        .default("person"),
    )
    .addOption(
      new Option("--every-days <n>", "days after which the schedule is due; 0: never")
        .argParser(wholeNumber())
        .default(RETRAIN_DEFAULTS.everyDays),
    )
    .addOption(
      new Option("--new-scans <n>", "new labelled scans after which labels are due; 0: never")
        .argParser(wholeNumber())
        .default(RETRAIN_DEFAULTS.newScans),
    )
    .option(
      "--learn-from-feedback",
      "learn from labels on which two people agree, or that an administrator confirmed; without it, what was learnt so before is taken out again",
    )
    .addOption(
      new Option(
        "--same-person <addresses>",
        "addresses of one person, with commas between, whose word counts once; may be given again for another",
      ).argParser(addresses),
    )
    .option("--check", "say which trigger would fire and why; nothing is changed")
    .option("--status", "say how far the newest run is; nothing is changed")
    .option("--give-up", "end the run that is not over: the model that is current stays")
    .option("--json", "for a machine")
    .action(run);
}

async function run({
  check,
  status,
  giveUp,
  json,
  everyDays,
  newScans,
  learnFromFeedback,
  samePerson,
  ...flags
}: Flags): Promise<void> {
  const { teacher: backbone, teacherEpochs: seen, serveTeacher: itself, ...given } = flags;
  const options = { ...given, ...taughtBy({ teacher: backbone, teacherEpochs: seen, serveTeacher: itself }) };
  const asked = [check && "--check", status && "--status", giveUp && "--give-up"].filter(Boolean);
  if (asked.length > 1)
    throw new ConfigurationError("The command", [`${asked.join(" and ")} exclude each other: give one of them.`]);
  requireWorkspace(options.out);
  const { checkWorkspace, giveUpWorkspace, retrainStatus, retrainWorkspace } = await import("../retrain.js");
  const { NothingToRetrainError, RetrainingBusyError } = await import("../../retrain/index.js");
  const rules = { everyDays, newScans, onAlarm: true, feedback: { consent: learnFromFeedback === true, samePerson } };
  try {
    if (check) {
      const triggers = await checkWorkspace(options.out, rules);
      if (json) return print({ due: triggers.some(({ fires }) => fires), triggers });
      return say(
        ...triggers.map(({ trigger, fires, reason }) => `${trigger}: ${fires ? "due" : "not due"}. ${reason}`),
      );
    }
    if (status) {
      const found = await retrainStatus(options.out);
      return json ? print(found ?? null) : say(...statusSentences(found));
    }
    if (giveUp) {
      const ended = (await giveUpWorkspace(options.out)) ?? null;
      if (json) return print({ run: ended });
      return say(ended === null ? "There is no run to give up." : `Run ${ended} is given up; the current model stays.`);
    }
    const retrained = await retrainWorkspace({ ...options, rules });
    if (json) return print(retrained);
    say(...sentences(retrained), DISCLAIMER);
  } catch (error) {
    const isBusy = error instanceof RetrainingBusyError;
    if (!isBusy && !(error instanceof NothingToRetrainError)) throw error;
    if (json) print({ begun: false, reason: error.message });
    else if (isBusy) say(error.message);
    else process.stderr.write(`${error.message}\n`);
    if (!isBusy) process.exitCode = EXIT.failed;
  }
}

/** @throws {InvalidArgumentError} */
function addresses(text: string, before: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  const { data } = samePersonList.safeParse([text.split(",").map((address) => address.trim())]);
  if (!data) throw new InvalidArgumentError(`"${text}" is not two or more e-mail addresses with commas between.`);
  return [...before, ...data];
}

function sentences(retrained: Retrained): string[] {
  if (!retrained.begun) return [retrained.reason];
  const { run, recorded, test, reference, feedback } = retrained.report;
  const share = (value: number | null | undefined) => (typeof value === "number" ? value.toFixed(3) : "none");
  const set = (name: string, { challenger, champion }: typeof test) =>
    challenger === null
      ? []
      : [
          `On ${challenger.n} scans of ${name}: AUC ${share(challenger.auc.value)}, accuracy ${share(challenger.accuracy.value)}` +
            (champion === null
              ? "."
              : `; the current model had ${share(champion.auc.value)} and ${share(champion.accuracy.value)}.`),
        ];
  return [
    ...(feedback ? feedbackSentences(feedback) : []),
    ...set("the untouched test set", test),
    ...set("the frozen reference set", reference),
    `Run ${run}: ${recorded.model ?? "no model"} ${recorded.outcome === "promoted" ? "is current" : "is not current"}. ${recorded.reason}`,
  ];
}

function feedbackSentences({
  agreed,
  counting,
  landed,
  withdrawn,
  restored,
  waiting,
  contradicted,
  left,
}: Taught): string[] {
  const why = Object.entries(left).map(([reason, n]) => `${n} ${reason}`);
  const some: (readonly [number, string])[] = [
    [landed, "landed now"],
    [restored, "count again"],
    [withdrawn, "no longer count"],
    [waiting, "wait for a second person"],
    [contradicted, "are contradicted"],
  ];
  const parts = some.flatMap(([n, what]) => (n > 0 ? [`${n} ${what}`] : []));
  if (agreed + counting + parts.length === 0) return [];
  const rest = why.length > 0 ? ` Not learnt from: ${why.join(", ")}.` : "";
  return [`Feedback: ${[`${agreed} labels agreed on, ${counting} learnt from`, ...parts].join("; ")}.${rest}`];
}

function statusSentences(found: RetrainStatus | undefined): string[] {
  if (!found) return ["Nothing has been retrained here yet."];
  const { run, begin, done, next, within, outcome, until } = found;
  const worked =
    until === null ? "nobody works on it" : `somebody works on it (until ${until}, unless that is renewed)`;
  const state =
    next === null
      ? `It is over: ${outcome === "promoted" ? "its model was promoted" : outcome === "kept" ? "the model before it stayed" : "it was given up"}.`
      : `Next is ${next}; ${worked}. npm run retrain goes on with it.`;
  return [
    `Run ${run} began at ${begin.at}: ${begin.reason}`,
    ...done.map(({ name, seconds, at }) => `  ${name}: done at ${at}, in ${seconds.toFixed(1)} s`),
    ...(within
      ? [`  ${within.step}: ${within.done} of ${within.total}${within.note ? ` (${within.note})` : ""} at ${within.at}`]
      : []),
    state,
  ];
}

const say = (...lines: readonly string[]) => void process.stdout.write(`${lines.join("\n")}\n`);
const print = (value: unknown) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
