import { existsSync } from "node:fs";
import { join } from "node:path";
import { CloudRunV2ServiceIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-service-iam-member";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { App, Aspects, TerraformStack } from "../../../constructs/core/cdktf";
import {
  acknowledge,
  evaluatePolicy,
  openFindings,
  PolicyAspect,
  RULES,
  stackDocument,
  unknownAcknowledgements,
} from "../../../constructs/policy";
import { buildApp } from "../../../stacks/app";
import { withScratch } from "../../../tools/synthesized";
import { EXAMPLE_PLATFORM } from "../../../tools/tiers";
import { NOTHING_PUSHED, PROD } from "../../stacks/synthesize";
import { FIXTURES, type Resources, stackOfResources } from "./fixtures";

const find = (resources: Resources, id?: string) =>
  evaluatePolicy(stackDocument("stack", stackOfResources(resources))).filter(
    ({ rule }) => id === undefined || rule.id === id,
  );

describe("the rule pack", () => {
  test("has a passing and a failing fixture for every rule, and none for another", () => {
    expect(Object.keys(FIXTURES).sort()).toEqual(RULES.map(({ id }) => id).sort());
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
  });

  test.each(RULES.map((rule) => [rule.id, rule] as const))("%s finds what is wrong, and only that", (id, rule) => {
    const fixture = FIXTURES[id];
    if (!fixture) throw new Error(`There is no fixture for ${id}`);
    expect(find(fixture.passes, id)).toEqual([]);
    const found = find(fixture.fails, id);
    expect(found.length).toBeGreaterThan(0);
    // Each bad resource is named; a rule over the stack names the stack once.
    if (found.some(({ address }) => address !== "")) expect(found).toHaveLength(fixture.fails.length);
    for (const finding of found) expect(finding.acknowledged).toBeUndefined();
    expect(rule.check(stackDocument("stack", {}))).toEqual([]);
  });

  const TAGGED = { target_tags: ["vpc-connector-europe-west4-c"] };
  const DENIED = { direction: "EGRESS", deny: [{ protocol: "all" }], destination_ranges: ["0.0.0.0/0"], ...TAGGED };
  const ALLOWED = { direction: "EGRESS", allow: [{ protocol: "tcp" }], destination_ranges: ["203.0.113.0/28"] };
  test.each<[count: number, what: string, ...rules: Record<string, unknown>[]]>([
    [0, "denied at one priority with what is allowed to all", ALLOWED, DENIED],
    [
      0,
      "denied in halves",
      { ...DENIED, destination_ranges: ["0.0.0.0/1"] },
      { ...DENIED, destination_ranges: ["128.0.0.0/1"] },
    ],
    [0, "denied after what others alone may", { ...ALLOWED, priority: 100, target_tags: ["preprocess"] }, DENIED],
    [0, "denied after what it may itself", { ...ALLOWED, priority: 900, ...TAGGED }, DENIED],
    [1, "denied in one half", { ...DENIED, destination_ranges: ["0.0.0.0/1"] }],
    [1, "denied after what is allowed to all", ALLOWED, { ...DENIED, priority: 1001 }],
    [1, "denied to all, and to it no sooner", ALLOWED, { ...DENIED, target_tags: [], priority: 65534 }],
    [1, "another that is denied", ALLOWED, { ...DENIED, target_tags: ["vpc-connector-europe-west1-c"] }],
    [1, "one protocol that is denied", ALLOWED, { ...DENIED, deny: [{ protocol: "tcp" }] }],
    [1, "a denial that is switched off", ALLOWED, { ...DENIED, disabled: true }],
  ])("finds %i of a connector with %s", (count, _, ...rules) => {
    const connector = ["google_vpc_access_connector", { name: "c", region: "europe-west4" }] as const;
    const stack: Resources = [connector, ...rules.map((rule) => ["google_compute_firewall", rule] as const)];
    expect(find(stack, "connector-egress-bound")).toHaveLength(count);
  });

  test("says what it mirrors by numbers of the right form, and what to do in a sentence", () => {
    for (const { id, checkov, cis, remedy, title } of RULES) {
      expect(id).toMatch(/^[a-z][a-z-]+$/);
      for (const number of checkov) expect(number).toMatch(/^CKV2?_GCP_\d+$/);
      for (const number of cis) expect(number).toMatch(/^[1-8]\.\d+$/);
      expect(`${title} ${remedy}`).toMatch(/^[A-Z].*\. .*\.$/s);
    }
  });

  test("sees a block that stands alone as one that stands in a list", () => {
    const alone = find([["google_storage_bucket", { versioning: { enabled: true } }]], "bucket-versioning");
    const listed = find([["google_storage_bucket", { versioning: [{ enabled: true }] }]], "bucket-versioning");
    expect([alone, listed]).toEqual([[], []]);
  });
});

describe("acknowledgements", () => {
  const topic = (acknowledged: Record<string, string>): Resources => [
    ["google_pubsub_topic", { labels: { env: "prod", owner: "o", "data-class": "code" }, "//": { acknowledged } }],
  ];

  test("accept the finding on that resource and keep its reason", () => {
    const [finding] = find(topic({ "pubsub-topic-cmek": "Holds public prices only." }));
    expect(finding).toMatchObject({ address: "google_pubsub_topic.it", acknowledged: "Holds public prices only." });
    expect(openFindings(find(topic({ "pubsub-topic-cmek": "Holds public prices only." })))).toEqual([]);
    expect(openFindings(find([...topic({ "pubsub-topic-cmek": "x" }), ["google_pubsub_topic", {}]]))).not.toEqual([]);
  });

  test("of a rule that is not there are reported", () => {
    const document = stackDocument("stack", stackOfResources(topic({ "kms-rotation": "x", "pubsub-topic-cmec": "x" })));
    expect(unknownAcknowledgements(document)).toEqual([
      "google_pubsub_topic.it acknowledges pubsub-topic-cmec, and there is no such rule.",
    ]);
  });
});

describe("at synth", () => {
  const synthesize = (build: (stack: TerraformStack) => void) =>
    withScratch((outdir) => {
      const app = new App({ outdir, stackTraces: false });
      const stack = new TerraformStack(app, "stack");
      new GoogleProvider(stack, "google", { project: "p" });
      Aspects.of(stack).add(new PolicyAspect());
      build(stack);
      app.synth();
      return stack.toTerraform() as Record<string, unknown>;
    });
  const publicBucket = (stack: TerraformStack) => new StorageBucket(stack, "b", { name: "b", location: "EU" });

  test("a finding stops it, named with its rule, its numbers and what to do", () => {
    const act = () =>
      synthesize((stack) => {
        publicBucket(stack);
        new CloudRunV2ServiceIamMember(stack, "everybody", {
          name: "s",
          role: "roles/run.invoker",
          member: "allUsers",
        });
      });
    expect(act).toThrow(/google_storage_bucket\.b: public_access_prevention is not "enforced".*CKV_GCP_114/);
    expect(act).toThrow(/google_cloud_run_v2_service_iam_member\.everybody: member is allUsers.*no-public-member/);
  });

  test("a finding deep in a resource says where it stands", () => {
    const resource = {
      google_x: { y: { binding: [{ role: "r" }, { "//": "allUsers", members: ["a", "allUsers"] }] } },
    };
    const found = evaluatePolicy(stackDocument("stack", { resource })).filter(
      ({ rule }) => rule.id === "no-public-member",
    );
    expect(found.map(({ address, problem }) => `${address}: ${problem}`)).toEqual([
      "google_x.y: binding[1].members[1] is allUsers",
    ]);
  });

  test("goes on where every finding is acknowledged, and the reasons stand in the JSON", () => {
    const json = synthesize((stack) => {
      const bucket = publicBucket(stack);
      for (const { rule, address } of evaluatePolicy(
        stackDocument("stack", stack.toTerraform() as Record<string, unknown>),
      ))
        acknowledge(address === "" ? stack : bucket, rule.id, "This bucket is a test's and never made.");
    });
    const findings = evaluatePolicy(stackDocument("stack", json));
    expect(findings.length).toBeGreaterThan(3);
    expect(openFindings(findings)).toEqual([]);
  });

  test("stands on every stack of the app", () => {
    for (const name of ["st-anna-data", "st-anna-app", "platform", "bootstrap"])
      withScratch((outdir) => {
        const app = buildApp([PROD], { outdir, platform: EXAMPLE_PLATFORM, images: NOTHING_PUSHED, variables: {} });
        publicBucket(app.node.findChild(name) as TerraformStack);
        expect(() => app.synth()).toThrow("google_storage_bucket.b: public_access_prevention");
        expect(existsSync(join(outdir, "stacks", name, "cdk.tf.json"))).toBe(false);
      });
  });

  test("an acknowledgement names a rule that exists and gives a reason", () => {
    expect(() =>
      synthesize((stack) => acknowledge(publicBucket(stack), "bucket-publik", "A long enough reason.")),
    ).toThrow('no policy rule "bucket-publik"');
    expect(() => synthesize((stack) => acknowledge(publicBucket(stack), "bucket-cmek", "ok"))).toThrow(
      "needs a reason",
    );
  });
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ["a list of resources", { resource: [{ google_project_iam_member: { b: { member: "allUsers" } } }] }],
  ["a list of a type's", { resource: { google_project_iam_member: [{ b: { member: "allUsers" } }] } }],
  ["a list of one's blocks", { resource: { google_project_iam_member: { b: [{ member: "allUsers" }] } } }],
  [
    "an acknowledgement without a reason",
    {
      resource: {
        google_project_iam_member: { b: { member: "allUsers", "//": { acknowledged: { "no-public-member": " " } } } },
      },
    },
  ],
])("a public member is found in %s", (_form, json) => {
  const open = openFindings(evaluatePolicy(stackDocument("stack", json)));
  expect(open.map(({ rule: { id } }) => id)).toContain("no-public-member");
});
