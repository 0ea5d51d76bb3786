import { type Canary, nextOfCanary } from "../../../runtime/registry";

const [ADVANCE, ABORT] = ["npm run models -- canary advance", "npm run models -- canary abort"];
const AT = "2026-11-27T08:00:00.000Z";
const running: Canary = {
  ...{ candidate: "cnn-new", stable: "cnn-old", mode: "traffic", state: "running", share: 10 },
  ...{ revision: "serve-c0123abcd", startedAt: AT, shareSince: "2026-11-27T09:00:00.000Z" },
  ...{ looks: 0, labelled: 0, reason: "It is tried out.", plan: 1, look: null },
};
const looked = (
  outcome: "advance" | "hold" | "rollback",
  missing: number | null = 10,
  at = "2026-11-28T08:00:00.000Z",
  clause = "canary.errors",
): Partial<Canary> => ({ look: { at, outcome, findings: [{ clause, state: "open", missing, sentence: "So." }] } });

test.each<[string, Partial<Canary>, string | undefined, RegExp, string[]]>([
  [
    "being started",
    { state: "starting" },
    "cnn-old",
    /start it again/,
    [`${ADVANCE.replace("advance", "start")} cnn-new`, ABORT],
  ],
  ["promoted by another way", {}, "cnn-new", /end the trial/, [ADVANCE]],
  [
    "compared with what is not current",
    {},
    "cnn-third",
    /cnn-third now/,
    [ABORT, `${ADVANCE.replace("advance", "start")} cnn-new`],
  ],
  [
    "compared with what is not current",
    {},
    undefined,
    /none now/,
    [ABORT, `${ADVANCE.replace("advance", "start")} cnn-new`],
  ],
  ["never looked at", {}, "cnn-old", /^Nobody has advanced it yet/, [ADVANCE]],
  ["not looked at since its share", looked("advance", 0, AT), "cnn-old", /^Nobody has advanced it since/, [ADVANCE]],
  ["not shown yet", looked("hold"), "cnn-old", /^Wait/, [ADVANCE, `${ADVANCE} --wait`, ABORT]],
  ["at its bound", looked("hold", null), "cnn-old", /no number of scans/, [ADVANCE, `${ADVANCE} --wait`, ABORT]],
  // Labels hold nothing up.
  [
    "without labels",
    looked("hold", null, undefined, "canary.labels"),
    "cnn-old",
    /^Wait/,
    [ADVANCE, `${ADVANCE} --wait`, ABORT],
  ],
  ["shown", looked("advance"), "cnn-old", /go on/, [ADVANCE]],
  ["shown to do harm", looked("rollback"), "cnn-old", /harm/, [ADVANCE]],
])("what is to be done about one that is %s", (_how, more, current, sentence, commands) => {
  const next = nextOfCanary({ ...running, ...more }, current);
  expect(next).toEqual({ sentence: expect.stringMatching(sentence), commands });
});

test.each(["promoted", "rolled-back", "aborted"] as const)("nothing about one that is %s", (state) => {
  expect(nextOfCanary({ ...running, state }, "cnn-old")).toBeUndefined();
});
