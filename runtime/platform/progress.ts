import cliProgress from "cli-progress";

/** One piece of long work that can say how far it is. */
export interface Progress {
  /** Starts (or restarts) with the number of items expected, of which some were done before. */
  start(total: number, done?: number): void;
  /** `count` more items are done; `note` is a short remark, e.g. the loss of an epoch. */
  advance(count?: number, note?: string): void;
  finish(): void;
}

const SECONDS_BETWEEN_LINES = 10;

/** A bar where a person watches, one plain line every ten seconds where a log is kept. Writes to stderr. */
export function createProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY && !process.env.CI ? bar(label, stream) : lines(label, stream);
}

/** For callers that nobody watches. */
export const silentProgress: Progress = { start() {}, advance() {}, finish() {} };

function bar(label: string, stream: NodeJS.WriteStream): Progress {
  const widget = new cliProgress.SingleBar({
    format: `${label.padEnd(12)} {bar} {value}/{total} {eta_formatted} {note}`,
    hideCursor: true,
    clearOnComplete: true,
    stream,
  });
  return {
    start: (total, done = 0) => widget.start(total, done, { note: "" }),
    advance: (count = 1, note) => widget.increment(count, note === undefined ? {} : { note }),
    finish: () => widget.stop(),
  };
}

function lines(label: string, stream: NodeJS.WriteStream): Progress {
  let total = 0;
  let done = 0;
  let printed = 0;
  let shown = -1;
  let remark = "";
  const print = () => {
    printed = Date.now();
    if (shown === done) return;
    shown = done;
    stream.write(`${label}: ${done}/${total}${remark}\n`);
  };
  return {
    start(expected, before = 0) {
      total = expected;
      done = before;
      shown = -1;
      printed = Date.now();
    },
    advance(count = 1, note) {
      done += count;
      if (note) remark = ` ${note}`;
      if (Date.now() - printed >= SECONDS_BETWEEN_LINES * 1000) print();
    },
    finish() {
      if (total > 0) print();
    },
  };
}
