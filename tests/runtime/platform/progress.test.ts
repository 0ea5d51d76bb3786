import { createProgress } from "../../../runtime/platform/progress";

/** What stands in a log that nobody watches, with a clock that is turned by hand. */
function logged(
  work: (progress: ReturnType<typeof createProgress>, wait: (seconds: number) => void) => void,
): string[] {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
  try {
    let text = "";
    const stream = { isTTY: false, write: (piece: string) => (text += piece) } as unknown as NodeJS.WriteStream;
    work(createProgress("train", stream), (seconds) => void jest.advanceTimersByTime(1000 * seconds));
    return text.split("\n").slice(0, -1);
  } finally {
    jest.useRealTimers();
  }
}

describe("progress in a log", () => {
  it("says every ten seconds how long the rest takes, and the whole", () => {
    const lines = logged((progress, wait) => {
      progress.start(1000);
      for (let i = 0; i < 100; i++) {
        wait(6);
        progress.advance(1, i === 0 ? "steps" : undefined);
      }
      progress.advance(900, "done");
      progress.finish();
    });
    expect(lines[0]).toBe("train: 2/1000 steps; about 1 h 40 min left, 1 h 40 min in all");
    expect(lines[49]).toBe("train: 100/1000 steps; about 1 h 30 min left, 1 h 40 min in all");
    expect(lines.at(-1)).toBe("train: 1000/1000 done");
    expect(lines).toHaveLength(51);
  });

  it("measures the pace of this run alone where an earlier one was interrupted", () => {
    const lines = logged((progress, wait) => {
      progress.start(100, 90);
      wait(20);
      progress.advance();
      wait(5);
      progress.advance();
      progress.finish();
    });
    expect(lines).toEqual([
      "train: 91/100; about 3 min left, 3 min in all",
      "train: 92/100; about 2 min left, 2 min in all",
    ]);
  });

  it("guesses nothing before anything is done, and says at once what cannot wait", () => {
    const lines = logged((progress, wait) => {
      progress.say("an unfinished run lies here.");
      progress.start(10);
      wait(15);
      progress.advance(0);
    });
    expect(lines).toEqual(["train: an unfinished run lies here.", "train: 0/10"]);
  });
});
