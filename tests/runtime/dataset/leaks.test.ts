import { findLeaks, type SplitMember } from "../../../runtime/dataset";

const [ones, nearly] = ["f".repeat(64), `${"f".repeat(63)}e`];

function member(source: string, more: Partial<SplitMember>): SplitMember {
  return {
    source,
    sha256: source,
    hash: "h1",
    phash: ones,
    patient: null,
    study: null,
    group: "g",
    split: "train",
    ...more,
  };
}

test.each([
  [
    "of one kind, which are near",
    { hash: "h1", phash: nearly },
    /a \(train\) and b \(test\) are near-duplicates \(distance 1 bit of/,
  ],
  ["of one kind, which are far", { hash: "h1", phash: "0123456789abcdef".repeat(4) }, /by way of other images/],
  ["of two kinds, though they are equal", { hash: "h2", phash: ones }, /by way of other images/],
  ["of which one is missing", { hash: null, phash: null }, /by way of other images/],
])("a torn group names two of its images; hashes %s", (_, other, sentence) => {
  expect(findLeaks([member("a", {}), member("b", { split: "test", ...other })])).toEqual([
    { group: "g", sentence: expect.stringMatching(sentence) },
  ]);
});

test("the closest pair of one kind is named before one that cannot be compared", () => {
  const members = [member("a", { hash: "h2" }), member("b", { split: "test", phash: nearly }), member("c", {})];
  expect(findLeaks(members)).toEqual([
    { group: "g", sentence: expect.stringMatching(/^b \(test\) and c \(train\) are near-duplicates/) },
  ]);
});
