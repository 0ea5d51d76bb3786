import { agreedLabels, personOf, type SaidOfPicture } from "../../../runtime/dataset";

let turn = 0;
/** Said a minute after what was said before. */
const said = (who: string, label: string, more: Partial<SaidOfPicture> = {}): SaidOfPicture => {
  turn++;
  return {
    ...{ feedback: `f${String(turn).padStart(3, "0")}`, sha256: "picture", label, who, scope: null, confirmed: null },
    given_at: new Date(Date.UTC(2026, 4, 1, 0, turn)).toISOString(),
    ...more,
  };
};
const [ANN, BEA, CLEO] = ["ann@hospital.org", "bea@hospital.org", "cleo@hospital.org"];
const STUDY = { scope: "study" };
const CONFIRMED = { confirmed: true };

test.each<[string, () => SaidOfPicture[], string]>([
  ["two people agree", () => [said(ANN, "Cancer"), said(BEA, "Cancer")], "Cancer by two people"],
  ["one person alone", () => [said(ANN, "Cancer")], "waiting"],
  ["one person twice", () => [said(ANN, "Cancer"), said(ANN, "Cancer")], "waiting"],
  ["an address in another case", () => [said(ANN, "Cancer"), said("Ann@Hospital.ORG", "Cancer")], "waiting"],
  [
    "a second address of the mailbox",
    () => [said(ANN, "Cancer"), said("ann+second@hospital.org", "Cancer")],
    "waiting",
  ],
  ["a mailbox at Gmail", () => [said("a.b@gmail.com", "Cancer"), said("ab@googlemail.com", "Cancer")], "waiting"],
  ["two accounts of one, by the list", () => [said(ANN, "Cancer"), said("Ann.Lee@clinic.org", "Cancer")], "waiting"],
  [
    "a program beside a person",
    () => [said(ANN, "Cancer"), said("bot@project.iam.gserviceaccount.com", "Cancer")],
    "waiting",
  ],
  [
    "two people of whom one changed his mind",
    () => [said(ANN, "Cancer"), said(BEA, "Cancer"), said(BEA, "Non-Cancer")],
    "contradicted",
  ],
  [
    "he who agrees in the end",
    () => [said(ANN, "Cancer"), said(BEA, "Non-Cancer"), said(BEA, "Cancer")],
    "Cancer by two people",
  ],
  ["a third who disagrees", () => [said(ANN, "Cancer"), said(BEA, "Cancer"), said(CLEO, "Non-Cancer")], "contradicted"],
  ["one who took it back", () => [said(ANN, "Cancer"), said(BEA, "Cancer"), said(BEA, "Withdrawn")], "waiting"],
  ["all who took it back", () => [said(ANN, "Cancer"), said(ANN, "Withdrawn")], "nothing"],
  [
    "a third who took his disagreement back",
    () => [said(ANN, "Cancer"), said(BEA, "Cancer"), said(CLEO, "Non-Cancer"), said(CLEO, "Withdrawn")],
    "Cancer by two people",
  ],
  [
    "an administrator alone who confirms",
    () => [said(CLEO, "Non-Cancer", CONFIRMED)],
    "Non-Cancer by an administrator",
  ],
  [
    "an administrator who settles a disagreement",
    () => [said(ANN, "Cancer"), said(BEA, "Non-Cancer"), said(CLEO, "Cancer", CONFIRMED)],
    "Cancer by an administrator",
  ],
  [
    "somebody who disagrees after that",
    () => [said(CLEO, "Cancer", CONFIRMED), said(ANN, "Non-Cancer")],
    "contradicted",
  ],
  [
    "two administrators who contradict",
    () => [said(ANN, "Cancer", CONFIRMED), said(CLEO, "Non-Cancer", CONFIRMED)],
    "contradicted",
  ],
  ["a study that has Cancer", () => [said(ANN, "Cancer", STUDY), said(BEA, "Cancer", STUDY)], "nothing"],
  ["a study that an administrator says has Cancer", () => [said(ANN, "Cancer", { ...STUDY, ...CONFIRMED })], "nothing"],
  [
    "a study without",
    () => [said(ANN, "Non-Cancer", STUDY), said(BEA, "Non-Cancer", STUDY)],
    "Non-Cancer by two people",
  ],
  [
    "a study on which they contradict",
    () => [said(ANN, "Non-Cancer", STUDY), said(BEA, "Non-Cancer", STUDY), said(CLEO, "Cancer", STUDY)],
    "nothing",
  ],
  [
    "a slice without, of a study with Cancer",
    () => [said(ANN, "Cancer", STUDY), said(ANN, "Non-Cancer"), said(BEA, "Non-Cancer")],
    "Non-Cancer by two people",
  ],
  ["the study and the slice by one person", () => [said(ANN, "Non-Cancer", STUDY), said(ANN, "Non-Cancer")], "waiting"],
])("%s", (_, all, expected) => {
  // In whatever order they are read.
  const found = agreedLabels(all().reverse(), [["ann.lee@clinic.org", ANN]]);
  const [agreed] = found.agreed;
  const told = agreed
    ? `${agreed.label} by ${agreed.by}`
    : found.waiting > 0
      ? "waiting"
      : found.contradicted > 0
        ? "contradicted"
        : "nothing";
  expect(told).toBe(expected);
});

test("a label names what it stands on and since when, each picture for itself and ascending", () => {
  const first = said(ANN, "Cancer", { sha256: "b" });
  const second = said(BEA, "Cancer", { sha256: "b" });
  const third = said(CLEO, "Cancer", { sha256: "b" });
  const alone = said(BEA, "Non-Cancer", { sha256: "a", confirmed: true });
  const { agreed } = agreedLabels([third, alone, first, second]);
  expect(agreed).toEqual([
    { sha256: "a", label: "Non-Cancer", by: "an administrator", since: alone.given_at, feedback: [alone.feedback] },
    {
      ...{ sha256: "b", label: "Cancer", by: "two people", since: second.given_at },
      feedback: [first.feedback, second.feedback, third.feedback],
    },
  ]);
});

test("the person of a laptop is one, whatever he is called", () => {
  expect(personOf(" Local ")).toBe(personOf("local"));
  expect(personOf("")).toBeUndefined();
});
