import { counted } from "../words";
import type { SimulatedRetraining, Truth } from "./retraining";
import type { RetrainingFound, Simulation } from "./run";

const number = (value: number | null, digits = 2) => (value === null ? "never" : value.toFixed(digits));
const known = (value: number | null) => value?.toFixed(3) ?? "none";
const daysOf = (value: number | null) => (value === null ? "never" : counted(Number(value.toFixed(0)), "day"));
/** With a digit where they are few: a rate a month follows from it. */
const monthsOf = (months: number) => {
  const told = Number(months.toFixed(months < 10 ? 1 : 0));
  return `${told} month${told === 1 ? "" : "s"}`;
};
const percent = (value: number) => `${(100 * value).toFixed(0)} %`;

/** `1 life of 1 day`, `2 lives of 90 days` */
export const livesOf = (lives: number, days: number): string =>
  `${lives} ${lives === 1 ? "life" : "lives"} of ${counted(days, "day")}`;

/** What a simulation showed, for a person. */
export function describeSimulation(simulation: Simulation): string {
  const { model, lives, days, scansPerDay, pool, falseAlarms, drift, estimate, retraining, first } = simulation;
  const { perMonth, count, months, proven, byWatch } = falseAlarms;
  const lines = [
    `${model}: ${livesOf(lives, days)} at ${counted(scansPerDay, "scan")} a day, drawn from ${counted(pool.scans, "held-out scan")} in ${counted(pool.groups, "group")}.`,
    `False alarms: ${count} in ${monthsOf(months)}, ${number(perMonth.value)} a month (95 % interval ${number(perMonth.low)} to ${number(perMonth.high)}; at most ${number(proven)} by proof): input ${byWatch.input}, prediction ${byWatch.prediction}, feedback ${byWatch.feedback}.`,
  ];
  if (drift) {
    const strength =
      drift.strength === null ? `to ${drift.to}` : `strength ${drift.strength}, ${number(drift.aucLost, 3)} of AUC`;
    lines.push(
      `${drift.kind} from day ${drift.day} (${strength}): found within 7 days in ${percent(drift.within7)} of lives; median ${daysOf(drift.median)}, 90 % within ${daysOf(drift.p90)}; ${drift.missed} missed.`,
    );
    const named = Object.entries(drift.drivers).sort(([, a], [, b]) => b - a);
    if (named.length > 0)
      lines.push(`Named as drivers: ${named.map(([name, times]) => `${name} ${times}`).join(", ")}.`);
    if (drift.driversMoved !== null)
      lines.push(`Of the named statistics of the input the change moves ${percent(drift.driversMoved)}.`);
    if (drift.scansConcerned !== null) lines.push(`Of the named scans it concerns ${percent(drift.scansConcerned)}.`);
  }
  if (estimate.of > 0)
    lines.push(
      `Accuracy estimated without labels: the true one lay in the interval in ${estimate.within} of ${estimate.of === 1 ? "1 life" : `${estimate.of} lives`}.`,
    );
  if (retraining) lines.push(...retrainingSentences(retraining, drift !== null));
  lines.push("The first life:");
  if (first.alarms.length === 0) lines.push("  no alarm");
  for (const { watch, day, since, drivers } of first.alarms)
    lines.push(
      `  day ${day}: ${watch}, since day ${since}: ${drivers.map(({ statistic, direction }) => `${statistic} ${direction}`).join(", ")}`,
    );
  for (const one of first.retrainings) lines.push(...retrainedLines(one));
  return `${lines.join("\n")}\n`;
}

function retrainingSentences(found: RetrainingFound, changes: boolean): string[] {
  const { started, byTrigger, promoted, kept, clauses, untilPromoted, accuracy } = found;
  const tally = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ");
  if (started === 0) return ["Retraining: nothing started one."];
  const until = changes
    ? ` The first one after the change came, in half of the lives, within: ${daysOf(untilPromoted)}.`
    : "";
  const after = changes ? "from the change on" : "of all days";
  return [
    `Retrainings: ${started} (${tally(byTrigger)}), each of which brought one of ${found.challengers.join(", ")}.`,
    `Promoted: ${promoted.count}; by the scans that came after, right ${promoted.right}, wrong ${promoted.wrong}.${until}`,
    `Not promoted: ${kept.count}; by the scans that came after, right ${kept.right}, better but not shown to be ${kept.missed}${kept.count > 0 ? ` (${tally(clauses)})` : ""}.`,
    `Accuracy ${after}: ${known(accuracy.accuracy)} as served, ${known(accuracy.without)} had the first model served on.`,
  ];
}

function retrainedLines({
  day,
  trigger,
  champion,
  challenger,
  promoted,
  decision,
  test,
  after,
  worth,
}: SimulatedRetraining) {
  const truth = ({ auc, accuracy, refused }: Truth) =>
    `AUC ${known(auc)}, accuracy ${known(accuracy)}, ${refused} refused`;
  const said = { right: "right", wrong: "wrong", missed: "better, which was not shown" };
  return [
    `  day ${day}: retrained (${trigger}): ${challenger} against ${champion} on ${counted(test.scans, "test scan")}, ${test.came} of them from these days: ${promoted ? "promoted" : "not promoted"}. ${decision}`,
    after.scans === 0
      ? "    No scan came after."
      : `    On ${counted(after.scans, "scan")} that came after: ${challenger} ${truth(after.challenger)}; ${champion} ${truth(after.champion)}${worth === null ? "" : `: ${said[worth]}`}.`,
  ];
}
