import { Declared } from "../../tools/doctor/declared";
import { grants } from "../../tools/iam-matrix";
import type { SynthesizedStack } from "../../tools/synthesized";
import { withTierStacks } from "../../tools/tiers";
import type { Json } from "./synthesize";

/** What runs as an identity, or lets something call as one. */
const WORKLOADS = [
  "google_cloudfunctions2_function",
  "google_cloud_run_v2_job",
  "google_cloud_run_v2_service",
  "google_cloud_scheduler_job",
  "google_compute_instance_template",
  "google_dataproc_workflow_template",
  "google_pubsub_subscription",
  "google_workflows_workflow",
];

const isWorkload = (address: string) => WORKLOADS.some((type) => address.startsWith(`${type}.`));

/** `type.id` of every resource, with its configuration. */
function resourcesOf({ json }: Pick<SynthesizedStack, "json">): Map<string, Json> {
  const byType = json.resource as Record<string, Record<string, Json>>;
  return new Map(
    Object.entries(byType).flatMap(([type, instances]) =>
      Object.entries(instances).map(([id, config]): [string, Json] => [`${type}.${id}`, config]),
    ),
  );
}

/** What a resource waits for, by `depends_on` or by a reference, and what that waits for. */
function waitsFor(address: string, resources: ReadonlyMap<string, Json>, found = new Set<string>()): Set<string> {
  const config = resources.get(address);
  const named = JSON.stringify(config).match(/google_\w+\.[\w-]+/g) ?? [];
  const explicit = (config?.depends_on as string[] | undefined) ?? [];
  for (const next of [...named, ...explicit])
    if (next !== address && resources.has(next) && !found.has(next)) {
      found.add(next);
      waitsFor(next, resources, found);
    }
  return found;
}

/** Each workload that starts while a grant of an identity that it names may not be there yet: a sentence a grant. */
function unawaited(stack: Pick<SynthesizedStack, "json">): string[] {
  const resources = resourcesOf(stack);
  return [...resources].flatMap(([address, config]) => {
    if (!isWorkload(address)) return [];
    const accounts = new Set(JSON.stringify(config).match(/google_service_account\.[\w-]+(?=\.(?:email|id|name)\b)/g));
    const awaited = waitsFor(address, resources);
    return [...resources].flatMap(([grant, { member }]) =>
      grant.includes("_iam_member.") && [...accounts].some((account) => member === `\${${account}.member}`)
        ? awaited.has(grant)
          ? []
          : [`${address} does not wait for ${grant}`]
        : [],
    );
  });
}

withTierStacks(undefined, (stacks) => {
  const apps = stacks.filter(({ name }) => name.endsWith("-app")).map(({ name, json }) => ({ name, json }));

  test.each(apps)(
    "every workload of $name waits for every grant of its identities, and nothing for itself",
    (stack) => {
      expect([...resourcesOf(stack).keys()].filter(isWorkload)).toHaveLength(stack.name === "ephemeral-app" ? 7 : 12);
      expect(unawaited(stack)).toEqual([]);
      const resources = resourcesOf(stack);
      expect([...resources.keys()].filter((address) => waitsFor(address, resources).has(address))).toEqual([]);
    },
  );

  test("one that does not is found", () => {
    const [stack] = structuredClone(apps) as [(typeof apps)[number]];
    const functions = (stack.json.resource as Record<string, Record<string, Json>>).google_cloudfunctions2_function;
    for (const config of Object.values(functions ?? {})) config.depends_on = [];
    expect(unawaited(stack)).toContainEqual(
      expect.stringMatching(/^google_cloudfunctions2_function\.\w+ does not wait for google_storage_bucket_iam_member/),
    );
  });

  test.each([
    ["prod", "100000000001"],
    ["test", "100000000002"],
    ["ephemeral", "100000000003"],
  ])("no right of %s is given by two resources: the end of one would take it from the other", (name, projectNumber) => {
    const declared = (names: readonly string[], number: string) => {
      const own = stacks.filter((stack) => names.includes(stack.name));
      expect(own).toHaveLength(2);
      return new Declared(own, { projectNumber: number }).resources;
    };
    const given = [
      ...declared(["bootstrap", "platform"], "100000000009"),
      ...declared([`${name}-data`, `${name}-app`], projectNumber),
    ]
      .filter(({ type }) => type.endsWith("_iam_member"))
      .map(({ type, config: { "//": _, depends_on: __, lifecycle: ___, ...config } }) =>
        JSON.stringify([type, ...Object.entries(config).sort()]),
      );
    expect(given.length).toBeGreaterThan(50);
    expect(given.filter((right, index) => given.indexOf(right) !== index)).toEqual([]);
  });

  test("all that CI's account may do outside the project of ephemeral environments is this", () => {
    const inProject = new Set(["project example-ci", "bucket example-ci-ci-state"]);
    const reach = grants(stacks)
      .filter(({ member }) => /(?<![a-z0-9-])ci-deploy(?![a-z0-9-])/.test(member))
      // Identities that an environment makes for itself lie in its project.
      .filter(({ stack, on }) => !inProject.has(on) && !stack.startsWith("ephemeral-"))
      .map(({ stack, role, on }) => `${stack}: ${role} on ${on}`)
      .sort();
    expect(reach).toEqual([
      // Its own states lie under this key, and nothing else.
      "bootstrap: cloudkms.cryptoKeyEncrypterDecrypter on key brain-tumor-platform/environment-states",
      // Whoever deploys Cloud Run has to be able to read the image.
      "platform: artifactregistry.reader on repository brain-tumor-images",
      // Says who uses the images, and could let itself push: hence hospitals name theirs by digest.
      "platform: brainTumorImageGranter on repository brain-tumor-images",
      // Says who uses the keys of environments.
      "platform: brainTumorKeyGranter on key ring brain-tumor-ephemeral",
    ]);
    expect(reach.join()).not.toMatch(/storage\.|platform-state|project example-platform/);
  });

  test("no hospital's stack and no other project names CI's account", () => {
    for (const { name, json } of stacks.filter(({ name }) => /^(prod|test)-/.test(name)))
      expect(`${name}: ${/ci-deploy/.exec(JSON.stringify(json))?.[0] ?? "-"}`).toBe(`${name}: -`);
  });

  test("there is an app of every tier", () => {
    expect(apps.map(({ name }) => name).sort()).toEqual(["ephemeral-app", "prod-app", "test-app"]);
  });
});
