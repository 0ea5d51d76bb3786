import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICE_AGENTS } from "../../constructs/core/service-agents";
import { GPU_MACHINES } from "../../constructs/train";
import { hospitals } from "../../stacks/hospitals";
import { type CostItem, cost, estimate, readPrices, TIER_USE } from "../../tools/cost";
import { doctor } from "../../tools/doctor";
import { drain, drainCommand } from "../../tools/drain";
import type { CommandLine, Runner } from "../../tools/gcloud";
import { documentedStacks, grants, iamMatrix, SECURITY_DOCUMENT, withMatrix } from "../../tools/iam-matrix";
import { preparation, prepareProject } from "../../tools/prepare-project";
import { sweep } from "../../tools/sweep";
import { type SynthesizedStack, withScratch } from "../../tools/synthesized";
import { EXAMPLE_PLATFORM, withTierStacks } from "../../tools/tiers";
import { captureOutput } from "../support/captured-output";

const printed = captureOutput();

const stacks = withTierStacks(undefined, (all) => structuredClone(all) as SynthesizedStack[]);

/** Answers by the words that a command contains, and remembers what was run. */
function fakeGcloud(answers: Readonly<Record<string, unknown>>): { run: Runner; ran: string[] } {
  const ran: string[] = [];
  const run = (command: CommandLine) => {
    const line = command.join(" ");
    ran.push(line);
    const answer = Object.entries(answers).find(([words]) => line.includes(words));
    return answer ? JSON.stringify(answer[1]) : "[]";
  };
  return { run, ran };
}

test("what works on hospitals takes the regions that the platform's line adds, as a synth does", async () => {
  await withScratch(async (folder) => {
    const [hospitals, platform, states] = ["hospitals.json", "platform.json", "states"].map((name) =>
      join(folder, name),
    );
    const line = { name: "mercy", tier: "test", project: "mri-mercy", projectNumber: "500600700800" };
    writeFileSync(
      `${hospitals}`,
      JSON.stringify([{ ...line, region: "europe-north9", train: { zones: ["europe-north9-a"] } }]),
    );
    writeFileSync(`${platform}`, JSON.stringify({ ...EXAMPLE_PLATFORM, extraRegions: ["europe-north9"] }));
    mkdirSync(`${states}`);
    const choice = ["--hospitals", `${hospitals}`, "--platform", `${platform}`];
    const { run } = fakeGcloud({});
    expect(await prepareProject(["mercy", ...choice], run)).toBe(0);
    expect(await drainCommand(["mercy", "--dry-run", ...choice], run)).toBe(0);
    expect(await sweep(["list", "--state", `${states}`, ...choice], run)).toBe(0);
    expect(await cost(choice)).toBe(0);
    // Nothing is there, and it is said so of this hospital: not that its line is wrong.
    expect(await doctor(["mercy", "--dry", ...choice], { ...NOBODY, run })).toBe(1);
  });
});

/** Nothing is reached over the network. */
const NOBODY = {
  network: { fetch: () => Promise.reject(new Error("nobody")), resolve: async () => [] },
  open: () => Promise.reject(new Error("nobody")),
  openTables: () => Promise.reject(new Error("nobody")),
};

describe("npm run prepare-project", () => {
  test("makes every agent that is granted a key, after the APIs are on", () => {
    const lines = preparation({ project: "mri-st-anna" }).map((command) => command.join(" "));
    expect(lines[0]).toMatch(/^gcloud services enable .*pubsub\.googleapis\.com .*--project=mri-st-anna$/);
    // Compute Engine's comes with its API.
    expect(lines.length).toBeGreaterThanOrEqual(1 + SERVICE_AGENTS.length - 1);
    for (const line of lines) expect(line).toMatch(/--project(_id)?=mri-st-anna$/);
    expect(lines.join("\n")).toContain("--service=cloudfunctions.googleapis.com");
  });

  test("for a shared network prints what its administrators run, and runs none of it; APIs are those that the line needs", async () => {
    const { run, ran } = fakeGcloud({});
    await withScratch(async (folder) => {
      const file = join(folder, "hospitals.json");
      const network = { shared: { project: "net-host", network: "hub", subnet: "mri" } };
      const line = {
        name: "mercy",
        tier: "prod",
        project: "mri-mercy",
        projectNumber: "500600700800",
        region: "us-east4",
      };
      writeFileSync(file, JSON.stringify([{ ...line, network, orgPolicies: true }]));
      expect(await prepareProject(["mercy", "--hospitals", file, "--run"], run)).toBe(0);
    });
    expect(printed()).toContain("# An administrator of the Shared VPC runs these in net-host");
    expect(printed()).toMatch(
      /gcloud compute networks subnets add-iam-policy-binding mri --region=us-east4 .*dataproc-accounts/,
    );
    expect(ran.filter((line) => line.includes("net-host"))).toEqual([]);
    expect(ran[0]).toContain("orgpolicy.googleapis.com");
    expect(ran[0]).not.toContain("accesscontextmanager");
  });

  test("prints, and runs only when it is told to", async () => {
    const { run, ran } = fakeGcloud({});
    const [first] = hospitals;
    if (!first) throw new Error("hospitals.ts is empty");
    expect(await prepareProject([first.name], run)).toBe(0);
    expect(printed()).toContain(`--project=${first.project}`);
    expect(ran).toEqual([]);
    expect(await prepareProject([first.name, "--run"], run)).toBe(0);
    expect(ran.length).toBeGreaterThan(5);
  });

  test.each([
    ["nowhere", /There is no target "nowhere" in stacks\/hospitals\.ts\. There are the hospitals st-anna, sandbox and/],
    ["st-ana", /did you mean "st-anna"\?/],
    ["platfrom", /did you mean "platform"\?.*the platform's projects platform, ci\./],
  ])("knows no %s, and says what there is", async (name, sentence) => {
    expect(await prepareProject([name])).toBe(2);
    expect(printed()).toMatch(sentence);
    expect(printed()).not.toContain("--region");
  });

  const url = (path: string) => `https://www.googleapis.com/compute/v1/projects/p/${path}`;
  const DEFAULT = { name: "default", autoCreateSubnetworks: true, selfLink: url("global/networks/default") };
  const rule = (name: string, network: string) => ({ name, network: url(`global/networks/${network}`) });
  const RULES = [rule("default-allow-ssh", "default"), rule("st-anna-deny", "st-anna"), rule("mine", "default")];

  async function changesOf(answers: Readonly<Record<string, unknown>>): Promise<string[]> {
    const { run, ran } = fakeGcloud(answers);
    expect(await prepareProject(["st-anna", "--run"], run)).toBe(0);
    return ran.filter((line) => / delete /.test(line));
  }

  test("takes the default network away, its rules before it, and nothing else", async () => {
    expect(await changesOf({ "networks list": [DEFAULT], "firewall-rules list": RULES, "instances list": [] })).toEqual(
      [
        "gcloud compute firewall-rules delete default-allow-ssh mine --quiet --project=bts-st-anna",
        "gcloud compute networks delete default --quiet --project=bts-st-anna",
      ],
    );
    expect(await changesOf({ "networks list": [DEFAULT], "firewall-rules list": [] })).toEqual([
      "gcloud compute networks delete default --quiet --project=bts-st-anna",
    ]);
  });

  test("may be repeated, and touches no network of another name", async () => {
    expect(await changesOf({ "networks list": [], "firewall-rules list": RULES })).toEqual([]);
    expect(
      await changesOf({ "networks list": [{ ...DEFAULT, name: "default-2" }], "firewall-rules list": RULES }),
    ).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      "a machine is on it",
      { "instances list": [{ name: "vm", networkInterfaces: [{ network: url("global/networks/default") }] }] },
      "instance vm",
    ],
    [
      "a load balancer is on it",
      { "forwarding-rules list": [{ name: "lb", subnetwork: url("regions/r/subnetworks/default") }] },
      "forwarding rule lb",
    ],
    ["a router is on it", { "routers list": [rule("nat", "default")] }, "router nat"],
    [
      "an address of it is taken",
      { "addresses list": [{ name: "ip", subnetwork: url("regions/r/subnetworks/default") }] },
      "address ip",
    ],
    ["it has a peering", { "networks list": [{ ...DEFAULT, peerings: [{ name: "sql" }] }] }, "peering sql"],
    ["somebody made it", { "networks list": [{ ...DEFAULT, autoCreateSubnetworks: false }] }, "not in auto mode"],
  ])("leaves it, with its rules, where %s", async (_why, answers, sentence) => {
    expect(await changesOf({ "networks list": [DEFAULT], "firewall-rules list": RULES, ...answers })).toEqual([]);
    expect(printed()).toContain(sentence);
  });

  test("a machine on another network keeps nothing", async () => {
    const other = { name: "vm", networkInterfaces: [{ network: url("global/networks/st-anna") }] };
    expect(await changesOf({ "networks list": [DEFAULT], "instances list": [other] })).toHaveLength(1);
  });

  test("what is printed without --run does the same in a shell, and nothing where there is none", async () => {
    expect(await prepareProject(["st-anna"], fakeGcloud({}).run)).toBe(0);
    const lines = printed()
      .split("\n")
      .filter((line) => line.includes("xargs"));
    withScratch((folder) => {
      const gcloud = join(folder, "gcloud");
      const log = join(folder, "log");
      const inShell = (network: string) => {
        writeFileSync(log, "");
        writeFileSync(
          gcloud,
          `#!/bin/sh\ncase "$*" in *"networks list"*) printf '${network}';; *"rules list"*) printf '${network ? "a\\nb" : ""}';; *) echo "$*" >> ${log};; esac\n`,
          { mode: 0o755 },
        );
        execFileSync("sh", ["-c", lines.join("\n")], {
          env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
        });
        return readFileSync(log, "utf8").trim().split("\n");
      };
      expect(inShell("default")).toEqual([
        "compute firewall-rules delete --quiet --project=bts-st-anna a b",
        "compute networks delete --quiet --project=bts-st-anna default",
      ]);
      expect(inShell("")).toEqual([""]);
    });
  });
});

describe("npm run drain", () => {
  const target = { name: "pr-1", project: "ci", projectNumber: "", region: "europe-west4" };
  const running = {
    "operations list": [
      { name: "op-own", metadata: { template: "projects/ci/regions/europe-west4/workflowTemplates/pr-1-preprocess" } },
      {
        name: "op-other",
        metadata: { template: "projects/ci/regions/europe-west4/workflowTemplates/pr-12-preprocess" },
      },
    ],
    "clusters list": [{ clusterName: "pr-1-prep-x" }],
    "instances list": [
      { name: "pr-1-train-7", zone: "https://www.googleapis.com/compute/v1/projects/ci/zones/europe-west4-b" },
    ],
  };

  test("stops workflows, then clusters, then machines, of this environment only", () => {
    const { run, ran } = fakeGcloud(running);
    const stopped = drain(target, run, { dryRun: false }).map((command) => command.slice(1, 5).join(" "));
    expect(stopped).toEqual([
      "dataproc operations cancel op-own",
      "dataproc clusters delete pr-1-prep-x",
      "compute instances delete pr-1-train-7",
    ]);
    for (const line of ran.filter((text) => text.includes(" list "))) expect(line).toContain("--project=ci");
    expect(
      ran
        .filter((text) => /clusters list|instances list/.test(text))
        .every((text) => text.includes("labels.hospital = pr-1")),
    ).toBe(true);
    expect(ran.at(-1)).toContain("--zone=europe-west4-b");
  });

  test("only lists in a dry run", () => {
    const { run, ran } = fakeGcloud(running);
    expect(drain(target, run, { dryRun: true })).toHaveLength(3);
    expect(ran.some((text) => /cancel|delete/.test(text))).toBe(false);
  });
});

describe("npm run cost", () => {
  const prices = readPrices();
  const own = (tier: string) => stacks.filter(({ name }) => name === `${tier}-data` || name === `${tier}-app`);
  const total = (tier: string, use = TIER_USE[tier]) => {
    if (!use) throw new Error(tier);
    const items = estimate(own(tier), prices, use);
    return {
      monthly: items.reduce((sum, item) => sum + item.monthly, 0),
      scans: items.reduce((sum, item) => sum + item.perThousandScans, 0),
    };
  };

  test("every price names its source and a unit, and the file its date", () => {
    expect(prices.asOf).toMatch(/^\d{4}-\d{2}$/);
    for (const { usd, unit, source } of Object.values(prices.prices)) {
      expect(usd).toBeGreaterThan(0);
      expect(unit).not.toBe("");
      expect(source).toMatch(/^https:\/\/cloud\.google\.com\//);
    }
  });

  test("follows the resources and the use", () => {
    const use = { scansPerMonth: 1000, trainingsPerMonth: 1 };
    const once = total("prod", use);
    expect(once.monthly).toBeGreaterThan(1);
    expect(once.scans).toBeGreaterThan(0.05);
    expect(total("prod", { ...use, trainingsPerMonth: 5 }).monthly).toBeGreaterThan(once.monthly + 3);
    // It makes no keys of its own.
    expect(total("ephemeral", use).monthly).toBeLessThan(once.monthly);
    expect(estimate([], prices, use).every(({ monthly }) => monthly === 0)).toBe(true);
  });

  test("counts what starts by itself: schedules, the runs of the workflow and of the sealer, and log metrics", () => {
    const items = (tier: string) =>
      estimate(own(tier), prices, { scansPerMonth: 0, trainingsPerMonth: 1 }).filter(({ monthly }) => monthly > 0);
    const whats = (tier: string) => items(tier).map(({ service, what }) => `${service}: ${what}`);
    // One a training, and one a night; a seal an hour.
    expect(whats("prod")).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Dataproc: 31 runs of/),
        expect.stringMatching(/^Cloud Run: 73\d seals of the log/),
        "Cloud Scheduler: 3 schedules",
        expect.stringMatching(/^Cloud Monitoring: \d+ log metrics/),
      ]),
    );
    // A schedule that is paused starts none, and an environment has nothing to seal.
    expect(whats("ephemeral")).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Dataproc: 1 runs of/), "Cloud Scheduler: 1 schedules"]),
    );
    expect(whats("ephemeral").join()).not.toContain("seals of the log");
  });

  async function costOf(lines: readonly unknown[], ...args: string[]) {
    return withScratch(async (folder) => {
      const file = join(folder, "hospitals.json");
      writeFileSync(file, JSON.stringify(lines));
      const before = printed().length;
      return { code: await cost(["--hospitals", file, ...args]), text: printed().slice(before) };
    });
  }
  const line = (name: string, tier: string, number: string) => {
    const project = `mri-of-${name}`;
    return { name, tier, project, projectNumber: number, region: "us-central1" };
  };
  const MERCY = line("mercy", "prod", "500600700800");
  const LAB = line("lab", "test", "500600700801");

  test("--hospitals estimates a list of one's own, with the platform's stacks and the sum", async () => {
    const { code, text } = await costOf([MERCY, LAB], "--json");
    const { estimates, total: all } = JSON.parse(text);
    expect(code).toBe(0);
    expect(estimates.map(({ name }: { name: string }) => name)).toEqual(["mercy", "lab", "bootstrap", "platform"]);
    const month = ({ use, items }: { use: typeof TIER_USE.prod; items: CostItem[] }) =>
      items.reduce((sum, item) => sum + item.monthly + ((use?.scansPerMonth ?? 0) / 1000) * item.perThousandScans, 0);
    expect(estimates.every((each: Parameters<typeof month>[0]) => month(each) > 0.5)).toBe(true);
    expect(all).toBeCloseTo(
      estimates.map(month).reduce((sum: number, one: number) => sum + one, 0),
      6,
    );
    // Images are priced although none was pushed.
    for (const each of estimates.slice(0, 2))
      expect(each.items.map(({ service }: CostItem) => service)).toEqual(
        expect.arrayContaining(["Cloud Run", "Compute Engine", "Dataproc"]),
      );
  });

  test("a hospital more costs the platform its logs in the archive, and others nothing", async () => {
    const of = async (lines: readonly unknown[]) => {
      const { estimates } = JSON.parse((await costOf(lines, "--json")).text) as {
        estimates: { name: string; items: CostItem[] }[];
      };
      return new Map(estimates.map(({ name, items }) => [name, items.reduce((sum, item) => sum + item.monthly, 0)]));
    };
    const [one, two] = [await of([MERCY]), await of([MERCY, LAB])];
    expect(two.get("mercy")).toBe(one.get("mercy"));
    expect(two.get("bootstrap")).toBe(one.get("bootstrap"));
    expect(two.get("platform")).toBeGreaterThan(one.get("platform") ?? 0);
  });

  test("prints a row for each and one for all; --details also what a sum is made of", async () => {
    const brief = await costOf([MERCY], "--scans", "2000");
    expect(brief.text).toMatch(/mercy +prod +2000 .*\nbootstrap .*\nplatform .*\nAll +\d+\.\d\d\n/);
    expect(brief.text).not.toContain("Cloud KMS");
    expect((await costOf([MERCY], "--details")).text).toMatch(/mercy, tier prod: 10000 scans.*Cloud KMS.*log archive/s);
  });

  test("a list with mistakes is wrong usage, each in a sentence", async () => {
    const { code, text } = await costOf([
      { ...MERCY, teir: "prod" },
      { ...LAB, region: "mars" },
    ]);
    expect(code).toBe(2);
    expect(text).toContain('did you mean "tier"?');
    expect(text).toContain('Hospital "lab" (line 2): "region" is "mars"');
  });

  test("has a price for every machine with a GPU, and the default has one for its GPU too", () => {
    const parts = GPU_MACHINES.filter(({ type }) => prices.prices[type] === undefined);
    expect(new Set(parts.map(({ gpu }) => gpu))).toEqual(new Set(["nvidia-tesla-t4"]));
    const item = estimate(own("prod"), prices, { scansPerMonth: 0, trainingsPerMonth: 1 }).find(
      ({ service }) => service === "Compute Engine",
    );
    const [app] = own("prod").filter(({ name }) => name.endsWith("-app"));
    const type = JSON.stringify(app?.json).match(/g2-standard-\d+/)?.[0] ?? "";
    const hour = prices.prices[type]?.usd ?? 0;
    // An hour and a half of the machine, and its disk.
    expect(item?.monthly).toBeGreaterThan(1.5 * hour);
    expect(item?.monthly).toBeLessThan(1.5 * hour + 0.05);
  });

  test("refuses a machine that has no price", () => {
    const [app] = own("prod").filter(({ name }) => name.endsWith("-app"));
    if (!app) throw new Error("There is no app stack");
    const text = JSON.stringify(app.json).replaceAll(/g2-standard-\d+/g, "x9-mega-4");
    expect(() =>
      estimate([{ ...app, json: JSON.parse(text) }], prices, { scansPerMonth: 1, trainingsPerMonth: 1 }),
    ).toThrow("x9-mega-4");
  });
});

describe("docs/security.md", () => {
  test("has the grants of the stacks as they are: npm run docs:iam", () => {
    const document = readFileSync(SECURITY_DOCUMENT, "utf8");
    expect(document).toBe(withMatrix(document, iamMatrix(documentedStacks(stacks))));
  });

  test("follows references to names", () => {
    for (const { member, on } of grants(stacks)) expect(`${member} ${on}`).not.toMatch(/\$\{|undefined/);
  });
});
