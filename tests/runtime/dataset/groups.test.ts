import { assignGroups, type Groupable } from "../../../runtime/dataset";

const image = (id: string, more: Partial<Groupable> = {}): Groupable => ({
  ...{ id, sha256: `pixels of ${id}`, phash: null, compared: false, patient: null, study: null, series: null },
  ...{ givenSplit: null, group: null, split: null },
  ...more,
});

const groupsOf = (images: readonly Groupable[]) => {
  const { assignments } = assignGroups(images);
  const groups = new Map<string, string[]>();
  for (const [id, { group }] of assignments) groups.set(group, [...(groups.get(group) ?? []), id]);
  return [...groups.values()].sort();
};

it("joins slices of a patient, a study and a series, one through the other", () => {
  expect(
    groupsOf([
      image("a", { patient: "P", study: "S1" }),
      image("b", { study: "S1", series: "R1" }),
      image("c", { series: "R1" }),
      image("d", { patient: "P", study: "S2" }),
      image("e", { study: "S3" }),
      image("f", { study: "S3" }),
      image("g"),
    ]),
  ).toEqual([["a", "b", "c", "d"], ["e", "f"], ["g"]]);
});

it("says so where one group is a quarter of a collection: an id may be one that many share", () => {
  const strangers = (count: number) => Array.from({ length: count }, (_, i) => image(`s${i}`));
  const shared = (count: number) => Array.from({ length: count }, (_, i) => image(`p${i}`, { patient: "P" }));
  const notes = (images: Groupable[]) => assignGroups(images).notes;
  expect(notes([...strangers(150), ...shared(51)])).toEqual([
    expect.stringContaining("One group holds 51 of 201 images"),
  ]);
  expect(notes([...strangers(153), ...shared(50)])).toEqual([]);
  expect(notes([...strangers(10), ...shared(51)])).toEqual([]);
});
