import type { DayRow } from "./report";
import type { Monitored } from "./step";
import type { WatchName } from "./watch";

/** What an alarm means, and what a person does about it. */
const ADVICE: Readonly<Record<WatchName, string>> = {
  input:
    "The scans come otherwise than those the model was tested on. Look at the scans it names; ask what changed at the scanner, in the export or among the patients; until that is known, have a person read what the model says.",
  prediction:
    "The model finds Cancer more or less often than among the scans it was tested on. Ask whether other patients are sent; if not, compare its answers of these days with the reports.",
  feedback:
    "People contradict the model more than its test scans did. Read the contradicted answers; if they are right, take the model back: npm run models -- rollback.",
};

/** What is told of the last day, and every alarm of the days, for a person. */
export function describeMonitored({ model, from, to, reference, rows, changed }: Monitored): string {
  const last = rows.filter(({ day }) => day === to);
  const one = (name: string, part: string | null = null) => last.find((row) => row.name === name && row.part === part);
  const count = (name: string) =>
    rows.filter((row) => row.name === name).reduce((sum, { value }) => sum + (value ?? 0), 0);
  const lines = [
    `${model}, ${from} to ${to}: ${count("answers")} answers, ${count("quarantined")} pages quarantined; compared with ${reference} held-out scans. Days stored: ${changed}.`,
    `Accuracy without labels, 30 days to ${to}: ${shareOf(one("accuracy-estimated"))}`,
    `Accuracy from feedback, 30 days to ${to}: ${shareOf(one("accuracy-feedback"))}`,
  ];
  const alarms = rows.filter(({ name }) => name === "alarm");
  if (alarms.length === 0) lines.push("No alarm rang in these days.");
  for (const { day, part, detail } of alarms) {
    const { since, drivers, scans } = JSON.parse(detail ?? "{}") as AlarmDetail;
    const named = drivers.map(({ statistic, direction }) => `${statistic} ${direction}`).join(", ");
    lines.push(`${day}: ${part} alarm, since ${since}: ${named}. ${ADVICE[part as WatchName]}`);
    lines.push(`  Scans that speak most for it: ${scans.join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}

export interface AlarmDetail {
  readonly since: string;
  readonly drivers: readonly { readonly statistic: string; readonly direction: string; readonly share: number }[];
  readonly scans: readonly string[];
}

const UNKNOWN: Readonly<Record<string, string>> = {
  "too-few": "not known: too few scans.",
  "input-drift":
    "not known: the input has drifted, and whether the probabilities still hold nobody can tell without labels.",
  "no-reference": "not known: too few held-out scans to see how well its probabilities hold.",
  "not-calibrated": "not known: on the held-out scans its probabilities were wrong by more than chance.",
};

function shareOf(row: DayRow | undefined): string {
  if (!row) return "not known.";
  if (row.value === null) return UNKNOWN[row.detail ?? ""] ?? "not known.";
  const [value, low, high] = [row.value, row.low ?? 0, row.high ?? 1].map((number) => number.toFixed(3));
  return `${value} (95 % interval ${low} to ${high}, ${row.scans} scans).`;
}
