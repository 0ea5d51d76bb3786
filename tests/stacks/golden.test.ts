import { diffGolden, goldenStack, readGolden, showDifferences } from "../../tools/golden";
import { withTierStacks } from "../../tools/tiers";

const HINT = 'If that is meant, run "npm run golden:update" and commit what it writes.';

describe("the stacks of every tier", () => {
  const golden = readGolden();
  const stacks = withTierStacks(undefined, (all) => new Map(all.map((stack) => [stack.name, goldenStack(stack)])));

  test("are those that were reviewed", () => {
    expect([...stacks.keys()].sort()).toEqual([...golden.keys()].sort());
  });

  test.each([...golden.keys()])("%s is what was reviewed, resource by resource", (name) => {
    const differences = diffGolden(golden.get(name) ?? {}, stacks.get(name) ?? {});
    if (differences.length > 0) throw new Error(`${showDifferences(name, differences)}\n${HINT}`);
  });
});

describe("the difference of two stacks", () => {
  const bucket = { google_storage_bucket: { b: { name: "b", versioning: { enabled: true }, zones: ["a", "b"] } } };
  const before = goldenStack({ json: { resource: bucket } });

  test("names address and path, what was and what is", () => {
    const after = goldenStack({
      json: {
        resource: {
          google_storage_bucket: { b: { name: "b", versioning: { enabled: false }, zones: ["a"] } },
          google_pubsub_topic: { t: { name: "t" } },
        },
      },
    });
    expect(showDifferences("stack", diffGolden(before, after)).split("\n")).toEqual([
      "stack:",
      "  + google_pubsub_topic.t",
      "  ~ google_storage_bucket.b versioning.enabled: true -> false",
      '  - google_storage_bucket.b zones[1]: "b"',
    ]);
    expect(diffGolden(before, before)).toEqual([]);
  });

  test("does not see another hash of a bundle, and sees another digest of an image", () => {
    const form = (object: string, digest: string) =>
      goldenStack({
        json: {
          resource: {
            x: { y: { object: `ingest/${object.repeat(64)}.zip`, image: `a/b@sha256:${digest.repeat(64)}` } },
          },
        },
      });
    expect(diffGolden(form("a", "1"), form("b", "1"))).toEqual([]);
    expect(diffGolden(form("a", "1"), form("a", "2"))).toHaveLength(1);
  });

  test("opens JSON that stands in a string", () => {
    const form = (width: number) =>
      goldenStack({ json: { resource: { x: { y: { dashboard_json: JSON.stringify({ tiles: [{ width }] }) } } } } });
    expect(diffGolden(form(1), form(2))).toEqual([
      { address: "x.y", path: "dashboard_json.json.tiles[0].width", change: "changed", before: 1, after: 2 },
    ]);
  });
});
