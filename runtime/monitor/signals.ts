import { ADVICE, PATIENCE, WATCHES, type WatchName } from "./watches";

/** Of a day's pages that came, this share refused is worth a look, where there are as many pages as that. */
export const QUARANTINE = { share: 0.2, pages: 20 } as const;

/** What the step writes into its log so that somebody is told of it, once for each day that it finds it of. */
export type SignalName = `alarm-${WatchName}` | "quarantine";

export interface SignalKind {
  readonly name: SignalName;
  /** One line, for the subject of a message. */
  readonly title: string;
  /** What it means and what a person does about it. */
  readonly advice: string;
}

const TITLES: Readonly<Record<WatchName, string>> = {
  input: "The scans come otherwise than those the model was tested on",
  prediction: "The model answers otherwise than on the scans it was tested on",
  feedback: "People contradict the model more than its test scans did",
};

/** Every kind of signal, in words: alerts, their runbooks and the log say the same. */
export const SIGNALS: readonly SignalKind[] = [
  ...WATCHES.map((watch) => ({
    name: `alarm-${watch}` as const,
    title: TITLES[watch],
    advice: `${ADVICE[watch]} While nothing changes this rings once in ${PATIENCE[watch]} days at most, in the mean.`,
  })),
  {
    name: "quarantine",
    title: "Many pages are refused",
    advice: `More than ${QUARANTINE.share * 100} % of a day's pages are in quarantine, of ${QUARANTINE.pages} or more. Look at the reasons: npm run monitor counts them by day, each reason.json in the quarantine bucket says one. A new kind of file or an export with another setting refuses all of its pages at once.`,
  },
];

/** What stands in the log where the step ended, whether or not there was something to tell: it ran. */
export const RAN = "ran";

/** What a line of the log is found by. @param place of the tables: several hospitals may write into one project's log */
export const markOf = (place: string, signal: SignalName | typeof RAN): string => `monitoring of ${place}: ${signal}.`;

/** Something of a day that a person is told of. */
export interface Signal {
  readonly name: SignalName;
  readonly day: string;
}

/** What of a day's rows is worth a word, as {@link Signal}s. */
export function signalsOf(
  rows: readonly {
    readonly day: string;
    readonly name: string;
    readonly part: string | null;
    readonly value: number | null;
  }[],
): readonly Signal[] {
  const pages = new Map<string, { came: number; refused: number }>();
  const signals: Signal[] = [];
  for (const { day, name, part, value } of rows) {
    const ofDay = pages.get(day) ?? { came: 0, refused: 0 };
    pages.set(day, ofDay);
    if (name === "alarm") signals.push({ name: `alarm-${part as WatchName}`, day });
    if (name === "pages") ofDay.came += value ?? 0;
    if (name === "quarantined") ofDay.refused += value ?? 0;
  }
  for (const [day, { came, refused }] of pages)
    if (came >= QUARANTINE.pages && refused > QUARANTINE.share * came) signals.push({ name: "quarantine", day });
  return signals;
}
