import cliProgress from "cli-progress";

/** One piece of long work that can say how far it is. */
export interface Progress {
  /** Starts (or restarts) with the number of items expected, of which some were done before. */
  start(total: number, done?: number): void;
  /** `count` more items are done; `note` is a short remark, e.g. the loss of an epoch. */
  advance(count?: number, note?: string): void;
  finish(): void;
  /** A sentence for whoever started the work, at once. */
  say(sentence: string): void;
}

const SECONDS_BETWEEN_LINES = 10;
/** Items whose pace an estimate is made from: an epoch's validation must not look like the end of all progress. */
const PACE = 100;

/**
 * A bar where a person watches, one plain line every ten seconds where a log is kept; both say how long it will take yet.
 * Writes to stderr.
 */
export function createProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY && !process.env.CI ? bar(label, stream) : lines(label, stream);
}

/** For callers that nobody watches. */
export const silentProgress: Progress = { start() {}, advance() {}, finish() {}, say() {} };

function bar(label: string, stream: NodeJS.WriteStream): Progress {
  const widget = new cliProgress.SingleBar({
    format: `${label.padEnd(12)} {bar} {value}/{total} {note} {eta_formatted} left`,
    etaBuffer: PACE,
    hideCursor: true,
    clearOnComplete: true,
    stream,
  });
  return {
    start: (total, done = 0) => widget.start(total, done, { note: "" }),
    advance: (count = 1, note) => widget.increment(count, note === undefined ? {} : { note }),
    finish: () => widget.stop(),
    say: (sentence) => void stream.write(`${label}: ${sentence}\n`),
  };
}

function lines(label: string, stream: NodeJS.WriteStream): Progress {
  let total = 0;
  let done = 0;
  let started = { at: 0, done: 0 };
  let printed = 0;
  let shown = -1;
  let remark = "";
  const say = (sentence: string) => void stream.write(`${label}: ${sentence}\n`);
  const print = () => {
    printed = Date.now();
    if (shown === done) return;
    shown = done;
    say(`${done}/${total}${remark}${estimate((printed - started.at) / 1000, done - started.done, total - done)}`);
  };
  return {
    start(expected, before = 0) {
      total = expected;
      done = before;
      shown = -1;
      printed = Date.now();
      started = { at: printed, done };
      remark = "";
    },
    advance(count = 1, note) {
      done += count;
      if (note) remark = ` ${note}`;
      if (Date.now() - printed >= SECONDS_BETWEEN_LINES * 1000) print();
    },
    finish() {
      if (total > 0) print();
    },
    say,
  };
}

/** How long the rest will take at the pace so far; nothing where nothing is left, or nothing is known. */
function estimate(seconds: number, done: number, left: number): string {
  if (done <= 0 || left <= 0) return "";
  const rest = (seconds / done) * left;
  return `; about ${duration(rest)} left, ${duration(seconds + rest)} in all`;
}

/** As a person would say it: 40 s, 12 min, 3 h 20 min. */
function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
