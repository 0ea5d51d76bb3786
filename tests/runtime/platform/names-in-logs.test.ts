import { createLogger, type Logger } from "../../../runtime/platform/logging";
import { messageForLogs, referenceOf } from "../../../runtime/platform/names-in-logs";
import { ChecksumMismatchError, ObjectNotFoundError } from "../../../runtime/platform/stores";

const NAME = "Cancer/MÜLLER HANS_1954/t1.png";
const SECRETS = /M(?:Ü|%C3%9C|\\u00dc)LLER|HANS|1954/i;

/** The lines that some log calls give. */
function logged(work: (log: Logger) => void, keepNames = false): string[] {
  const lines: string[] = [];
  work(createLogger("test", { keepNames, destination: { write: (line) => lines.push(line) } }));
  return lines;
}

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

test("a line has a reference where a name was given", () => {
  const lines = logged((log) => log.info({ source: `${NAME}#page=3`, generation: 7, curated: 1 }, "ingested"));
  expect(lines.join("")).not.toMatch(SECRETS);
  expect(parsed(lines)).toEqual([
    {
      severity: "INFO",
      component: "test",
      time: expect.any(String),
      message: "ingested",
      curated: 1,
      scan: referenceOf(NAME, 7),
    },
  ]);
});

test.each<[string, (log: Logger) => void]>([
  ["in the text", (log) => log.warn({ source: NAME }, `${NAME} is left out`)],
  ["as an argument of the text", (log) => log.warn({ source: NAME }, "%s is left out: %j", NAME, { NAME })],
  ["in another field", (log) => log.warn({ mask: NAME, why: [`no ${NAME}`], more: { of: { it: NAME } } }, "x")],
  ["by a part", (log) => log.warn({ source: NAME }, "The folder MÜLLER HANS_1954/ is none of the label folders.")],
  ["encoded", (log) => log.warn({ source: NAME }, `GET /o/${encodeURIComponent(NAME)}`)],
  ["in an error", (log) => log.error({ source: NAME, err: new Error(`no ${NAME}`) }, "failed")],
  [
    "in an error's cause",
    (log) => log.error({ source: NAME, err: new Error("x", { cause: new Error(NAME) }) }, "failed"),
  ],
  [
    "in an error's name and fields",
    (log) => log.error({ err: Object.assign(new Error("x"), { path: NAME, config: { url: NAME } }) }, "failed"),
  ],
  ["in an error of a store", (log) => log.error(new ObjectNotFoundError("gs://p-h-landing", NAME))],
  [
    "in an error's text alone",
    (log) => log.error({ err: new ChecksumMismatchError("gs://p-h-landing", NAME, "a", "b") }),
  ],
  [
    "in a text that repeats an error",
    (log) => {
      const err = new ObjectNotFoundError("gs://p-h-landing", NAME);
      log.error({ err }, err.message);
    },
  ],
  [
    "in what could not be parsed",
    (log) => {
      try {
        JSON.parse(`{"source": "${NAME}"`.slice(0, -2));
      } catch (err) {
        log.error({ err }, "failed");
      }
      try {
        JSON.parse("MÜLLER HANS");
      } catch (err) {
        log.error(err as Error);
      }
    },
  ],
  [
    "in an address",
    (log) => log.error(new Error(`request to https://storage.googleapis.com/b/x/o/${encodeURIComponent(NAME)} failed`)),
  ],
  ["in an address with blanks", (log) => log.error(new Error(`gs://bucket/${NAME} is odd`))],
  ["by a child", (log) => log.child({ reqId: 1 }).error({ source: NAME }, NAME)],
])("no name stands %s", (_where, work) => {
  const lines = logged(work);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join("")).not.toMatch(SECRETS);
  // A test that names something that would not be logged at all shows nothing.
  expect(logged(work, true).join("")).toMatch(SECRETS);
});

test("what was thrown where is still said", () => {
  const err = Object.assign(new TypeError("x is not a function"), { code: "E1", cause: new RangeError("too far") });
  const [line] = parsed(logged((log) => log.error({ err, request: "r1" }, "Request failed")));
  expect(line).toMatchObject({
    message: "Request failed",
    request: "r1",
    err: {
      type: "TypeError",
      message: "x is not a function",
      code: "E1",
      stack: expect.stringMatching(/^\s+at .*names-in-logs\.test\.ts/),
      cause: { type: "RangeError", message: "too far" },
    },
  });
});

test("names that the project gives itself stay", () => {
  expect(messageForLogs(new ObjectNotFoundError("gs://p-h-models", "cnn-0123456789ab/model.json"))).toContain(
    "cnn-0123456789ab/model.json",
  );
  expect(messageForLogs(new ObjectNotFoundError("gs://p-h-landing", "Cancer/a.png"))).toBe(
    "gs://p-h-landing/[name] does not exist.",
  );
});

test("of an error of Google's clients the status and the reason are said", () => {
  const error = Object.assign(new Error(`No such object: b/${NAME}`), {
    code: 404,
    errors: [{ reason: "notFound", message: NAME }],
  });
  expect(messageForLogs(error)).toBe("A request to Google Cloud failed (404, notFound).");
});

test("short names do not eat the line", () => {
  const [line] = parsed(logged((log) => log.info({ source: "Cancer/a.png" }, "a manual of a.png")));
  expect(line?.message).toBe("a manual of [name]");
});

test("the terminal of the person whose files they are keeps names", () => {
  const [line] = parsed(logged((log) => log.warn({ source: NAME, generation: 7 }, `${NAME} is left out`), true));
  expect(line).toMatchObject({ source: NAME, generation: 7, message: `${NAME} is left out` });
});
