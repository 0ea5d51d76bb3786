import { GPUS, REGIONS } from "../../constructs/core/region-list";
import { nearestWith } from "../../constructs/core/regions";
import { ConfigurationError } from "../../runtime/platform/config";
import { type HospitalLine, parseHospitals, stateProblem } from "../../stacks/config";
import { hospitals } from "../../stacks/hospitals";
import { PROD, TEST } from "./synthesize";

const problemsOf = (lines: unknown): readonly string[] => {
  try {
    parseHospitals(lines);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
};

const key = (location: string) => `projects/kms/locations/${location}/keyRings/r/cryptoKeys/k`;

describe("a hospital's line", () => {
  test("needs five keys and fills in the rest by tier", () => {
    const [prod] = parseHospitals([PROD]);
    expect(prod).toMatchObject({ owner: "platform", removal: "retain", ingest: { maxInstances: 20 } });
    const { removal: _removal, ...test } = TEST;
    expect(parseHospitals([test])[0]).toMatchObject({ removal: "retain", ingest: { maxInstances: 5 } });
    expect(parseHospitals([{ ...test, tier: "ephemeral" }])[0]).toMatchObject({
      removal: "destroy",
      ingest: { maxInstances: 2 },
    });
  });

  test("takes the project's number as a number as well", () => {
    expect(
      parseHospitals([{ ...PROD, projectNumber: 483920174655 } as unknown as HospitalLine])[0]?.projectNumber,
    ).toBe("483920174655");
  });

  test("shipped ones are one of prod and one of test, and valid", () => {
    expect(parseHospitals(hospitals).map(({ tier }) => tier)).toEqual(["prod", "test"]);
  });

  test.each<[string, object, string]>([
    ["name", { name: "St. Anna" }, "St. Anna"],
    ["name", { name: "st-anna-" }, "no hyphen last"],
    ["name", { name: "a--b" }, "single hyphens"],
    ["name", { name: "ci" }, "not bootstrap, ci, ci-env, platform"],
    ["name", { name: "platform" }, "not bootstrap, ci, ci-env, platform"],
    ["name", { name: "bootstrap" }, "not bootstrap, ci, ci-env, platform"],
    ["tier", { tier: "production" }, "prod, test or ephemeral"],
    ["project", { project: "abc" }, "6 to 30"],
    ["project", { project: "example.com:abcdef" }, "6 to 30"],
    ["projectNumber", { projectNumber: "mri-st-anna" }, "digits only"],
    ["projectNumber", { projectNumber: 1.5 }, "digits only"],
    ["region", { region: "europe-west4-a" }, "not a zone"],
    ["region", { region: "EU" }, "multi-region"],
    ["owner", { owner: "Team A" }, "a label"],
    ["images", { images: "needed" }, "optional (what has no image yet is left out) or required"],
    ["kmsKey", { kmsKey: "my-key" }, "cryptoKeys/K"],
    ["pseudonymKey", { pseudonymKey: key("europe-west4") }, "cryptoKeyVersions/N"],
    ["ingest.maxInstances", { ingest: { maxInstances: 0 } }, "1 to 1000"],
    ["expiresAt", { tier: "ephemeral", expiresAt: "2027-02-30" }, "2027-01-31"],
    ["expiresAt", { tier: "ephemeral", expiresAt: "2027-02" }, "2027-01-31"],
    ["name", { name: "ci-env" }, "not bootstrap, ci, ci-env, platform"],
    ["billingAccount", { billingAccount: "my-account" }, "01AB23-456789-CDEF01"],
    ["budget", { budget: 0.5 }, "whole number"],
    ["alertEmails", { alertEmails: ["a@example.org", "a@example.org"] }, "each once"],
    ["alertEmails.0", { alertEmails: ["on-call"] }, "an e-mail address"],
    ["analysts.0", { analysts: ["allUsers"] }, "group:NAME"],
    ["analysts.0", { analysts: ["domain:example.org"] }, "group:NAME"],
    ["deployer", { deployer: "user:a@example.org" }, "serviceAccount:NAME"],
    ["network.cidr", { network: { cidr: "8.8.8.0/24" } }, "a private range"],
    ["network.cidr", { network: { cidr: "10.10.0.1/20" } }, "a private range"],
    ["network.egress.0.cidr", { network: { egress: [{ name: "all", cidr: "0.0.0.0/0", ports: [443] }] } }, "/16"],
    ["network.egress.0.cidr", { network: { egress: [{ name: "all", cidr: "2001:db8::/32", ports: [443] }] } }, "IPv4"],
    ["network.egress.0.ports", { network: { egress: [{ name: "pacs", cidr: "203.0.113.0/28", ports: [] }] } }, "TCP"],
    [
      "network.shared.subnet",
      { network: { shared: { project: "net-host", network: "n", subnet: "S" } } },
      "a name of up",
    ],
    ["network.shared.project", { network: { shared: { network: "n", subnet: "s" } } }, "a Shared VPC"],
    ["perimeter", { perimeter: "hospitals" }, "accessPolicies/NUMBER"],
    ["orgPolicies", { orgPolicies: "yes" }, "true or false"],
    ["preprocess.maxSpotWorkers", { preprocess: { maxSpotWorkers: 1.5 } }, "1 to 200"],
    ["region", { region: "europe-west99" }, 'The nearest name is "europe-west9" (Paris, France)'],
    ["region", { region: "us-moon1" }, "us-central1"],
    ["train.gpu", { train: { gpu: "nvidia-h100" } }, "nvidia-tesla-t4"],
    ["train.gpu", { train: { gpu: "nvidia-tesla-v100" } }, "nvidia-tesla-t4"],
    ["train.zones.0", { train: { zones: ["europe-west4"] } }, "europe-west4-a"],
    ["train.spot", { train: { spot: "yes" } }, "true or false"],
    ["train.serves", { train: { serves: "both" } }, '"pupil" or "teacher"'],
    ["train.teacher", { train: { teacher: "backbones/efficientnet-lite0" } }, "gs://PROJECT-NAME-models/FOLDER"],
    ["features.backbone", { features: { backbone: "/backbones/b" } }, "gs://PROJECT-NAME-models/FOLDER"],
    ["train.epochs", { train: { epochs: 0 } }, "1 to 99999"],
    ["serve.domain", { serve: { domain: "https://mri.example.org" } }, "without https://"],
    ["serve.viewers.0", { serve: { domain: "mri.example.org", viewers: ["allUsers"] } }, "group:ADDRESS"],
    ["objectives.availability", { objectives: { availability: 0.99 } }, "from 95 to 99.99"],
    ["objectives.latency", { objectives: { latency: 100 } }, "from 95 to 99.99"],
    ["objectives.latencySeconds", { objectives: { latencySeconds: 0 } }, "seconds from 0.1"],
    ["objectives.freshnessMinutes", { objectives: { freshnessMinutes: 1.5 } }, "whole number"],
    [
      "serve.allowedRanges.0",
      { serve: { domain: "mri.example.org", allowedRanges: ["0.0.0.0/0"] } },
      "198.51.100.0/24",
    ],
  ])("with a wrong %s is refused: hospital, key, what was given, what is allowed", (name, change, allowed) => {
    const problems = problemsOf([{ ...PROD, ...change }]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`"${name}" is `);
    expect(problems[0]).toContain(allowed);
    expect(problems[0]).toMatch(/^Hospital ".+" \(line 1\): .+; allowed: .+\.$/);
  });

  test.each(["name", "tier", "project", "projectNumber", "region"])("without %s is refused", (name) => {
    const { [name as keyof HospitalLine]: _left, ...line } = PROD;
    expect(problemsOf([line])).toEqual([expect.stringContaining(`"${name}" is missing`)]);
  });

  test("with a mistyped key says which one is meant", () => {
    expect(problemsOf([{ ...PROD, regoin: "x" }])).toEqual([expect.stringContaining('did you mean "region"?')]);
    expect(problemsOf([{ ...PROD, ingest: { maxInstance: 1 } }])).toEqual([
      expect.stringContaining('"maxInstance" in "ingest" is not a known key; did you mean "maxInstances"?'),
    ]);
  });
});

describe("rules over several keys", () => {
  test("prod is destroyed only after a deploy with allowDestroys", () => {
    expect(problemsOf([{ ...PROD, removal: "destroy" }])).toEqual([expect.stringContaining('"allowDestroys": true')]);
    expect(parseHospitals([{ ...PROD, allowDestroys: true }])[0]?.removal).toBe("destroy");
  });

  test("an ephemeral environment is never retained, and only it expires", () => {
    expect(problemsOf([{ ...TEST, tier: "ephemeral", removal: "retain" }])).toEqual([
      expect.stringContaining("allowed: destroy"),
    ]);
    expect(problemsOf([{ ...TEST, expiresAt: "2027-01-31" }])).toEqual([
      expect.stringContaining("tier ephemeral only"),
    ]);
  });

  test("an ephemeral environment has no budget of its own", () => {
    expect(problemsOf([{ ...TEST, removal: "destroy", tier: "ephemeral", budget: 5 }])).toEqual([
      expect.stringContaining('"budget" is 5 in tier ephemeral'),
    ]);
  });

  test("each destination outside has a name of its own", () => {
    const pacs = { name: "pacs", cidr: "203.0.113.0/28", ports: [443] };
    expect(problemsOf([{ ...PROD, network: { egress: [pacs, pacs] } }])).toEqual([
      expect.stringContaining('has the name "pacs" twice'),
    ]);
  });

  test.each<[string, string]>([
    ["google-apis", "the network's own rules"],
    ["preprocess-in", "the network's own rules"],
    ["preprocess-out", "the network's own rules"],
  ])("no destination is called %s, as the network calls a rule of its own", (name, why) => {
    expect(problemsOf([{ ...PROD, network: { egress: [{ name, cidr: "203.0.113.0/28", ports: [443] }] } }])).toEqual([
      expect.stringMatching(new RegExp(`"network.egress" has the name "${name}".*${why}.*; allowed: another name\\.$`)),
    ]);
  });

  test.each<[string, string, string]>([
    ["10.10.0.0/24", "10.10.0.0/20", "the hospital's own subnet"],
    ["10.10.0.0/16", "10.10.0.0/20", "the hospital's own subnet"],
    ["169.254.169.254/32", "169.254.0.0/16", "the metadata server"],
    ["169.254.0.0/16", "169.254.0.0/16", "the metadata server"],
    ["127.0.0.0/24", "127.0.0.0/8", "loopback"],
    ["0.0.0.0/16", "0.0.0.0/8", "no address"],
    ["239.1.0.0/16", "224.0.0.0/4", "multicast"],
    ["255.255.255.255/32", "240.0.0.0/4", "reserved"],
    ["199.36.153.4/32", "199.36.153.4/30", "Google's APIs"],
    ["199.36.153.8/30", "199.36.153.8/30", "private.googleapis.com"],
    ["199.36.153.0/24", "199.36.153.4/30", "Google's APIs"],
  ])("no destination is %s, which overlaps %s: %s", (cidr, taken, why) => {
    const problems = problemsOf([{ ...PROD, network: { egress: [{ name: "pacs", cidr, ports: [443] }] } }]);
    expect(problems[0]).toMatch(
      /^Hospital "st-anna" \(line 1\): "network\.egress" has the destination "pacs" at .+; allowed: .+\.$/,
    );
    for (const text of [cidr, taken, why]) expect(problems[0]).toContain(text);
  });

  test("a destination beside all of these is taken, and the own subnet is the line's", () => {
    const to = (cidr: string) => ({ egress: [{ name: "pacs", cidr, ports: [443] }] });
    for (const cidr of ["203.0.113.0/28", "199.36.153.0/30", "10.10.16.0/24", "169.253.0.0/16", "198.18.0.0/16"])
      expect(problemsOf([{ ...PROD, network: to(cidr) }])).toEqual([]);
    expect(problemsOf([{ ...PROD, network: { ...to("10.64.1.0/24"), cidr: "10.64.0.0/20" } }])).toHaveLength(1);
    expect(problemsOf([{ ...PROD, network: { ...to("10.10.1.0/24"), cidr: "10.64.0.0/20" } }])).toEqual([]);
  });

  test("a shared network is its administrators' to open, and a perimeter is no environment's to join", () => {
    const shared = { project: "net-host", network: "hub", subnet: "mri" };
    const egress = [{ name: "pacs", cidr: "203.0.113.0/28", ports: [443] }];
    expect(problemsOf([{ ...PROD, network: { shared, egress, cidr: "10.64.0.0/20" } }])).toEqual([
      expect.stringContaining('"network.cidr" is given with "network.shared"; allowed: without it'),
      expect.stringContaining('"network.egress" is given with "network.shared"; allowed: without it'),
    ]);
    expect(problemsOf([{ ...PROD, network: { shared } }])).toEqual([]);
    const held = { perimeter: "accessPolicies/1/servicePerimeters/p", orgPolicies: true };
    expect(problemsOf([{ ...PROD, ...held }])).toEqual([]);
    expect(problemsOf([{ ...TEST, ...held, tier: "ephemeral" }])).toEqual([
      expect.stringContaining(
        '"perimeter" is "accessPolicies/1/servicePerimeters/p" in tier ephemeral; allowed: in tiers',
      ),
      expect.stringContaining('"orgPolicies" is true in tier ephemeral'),
    ]);
  });

  test("a key lies where the data lies", () => {
    expect(problemsOf([{ ...PROD, kmsKey: key("us-east1") }])).toEqual([
      expect.stringMatching(/"kmsKey" lies in "us-east1"; allowed: .*europe-west4/),
    ]);
    expect(problemsOf([{ ...PROD, kmsKey: key("europe-west4") }])).toEqual([]);
  });

  test("bucket names have at most 63 characters: 63 pass, 64 do not", () => {
    const project = "a23456789012345678901234567890";
    const fits = { ...PROD, project, name: "a".repeat(63 - project.length - "--quarantine".length) };
    expect(problemsOf([fits])).toEqual([]);
    expect(problemsOf([{ ...fits, name: `${fits.name}a` }])).toEqual([
      expect.stringMatching(/has 64 characters and Cloud Storage allows 63/),
    ]);
  });

  test("a bucket name that Cloud Storage keeps for Google is refused", () => {
    expect(problemsOf([{ ...PROD, name: "google-clinic" }])).toEqual([expect.stringContaining("looks like Google's")]);
  });
});

test("who may see the page needs the domain that they open", () => {
  expect(problemsOf([{ ...PROD, serve: { viewers: ["group:mri@example.org"] } }])).toEqual([
    expect.stringContaining('"serve.viewers" has "group:mri@example.org" without "serve.domain"'),
  ]);
  expect(problemsOf([{ ...PROD, serve: { viewers: ["domain:example.org"], allowedRanges: ["10.0.0.0/8"] } }])).toEqual([
    expect.stringContaining('"serve.allowedRanges" is given without "serve.domain"'),
  ]);
  const groups = ["group:mri@example.org"] as unknown as ["user:a@b.org"];
  expect(problemsOf([{ ...PROD, serve: { domain: "a.example.org", clinicians: groups, admins: groups } }])).toEqual([
    expect.stringMatching(/"serve\.clinicians.*allowed: user:ADDRESS, serviceAccount:ADDRESS or domain:NAME/),
    expect.stringMatching(/"serve\.admins.*allowed: user:ADDRESS, serviceAccount:ADDRESS or domain:NAME/),
  ]);
});

test("two ephemeral environments of a project have no key of their own in common: one's end would lock the other out", () => {
  const line = { ...PROD, tier: "ephemeral", kmsKey: key("europe-west4") } as const;
  expect(problemsOf([line, { ...line, name: "run-2" }])).toEqual([
    expect.stringMatching(/^Hospital "run-2" \(line 2\): "kmsKey" is that of environment "st-anna".*; allowed: .+\.$/),
  ]);
  expect(problemsOf([line, { ...line, name: "run-2", project: "mri-other-ci" }])).toEqual([]);
  expect(problemsOf([line, { ...line, name: "run-2", kmsKey: `${line.kmsKey}2` }])).toEqual([]);
});

describe("the state of a hospital", () => {
  const problem = (line: HospitalLine, stateBucket?: string) =>
    parseHospitals([line], "The list", { stateBucket }).map(stateProblem)[0];

  test("of tier prod is no file of one machine: a sentence that roll-out, delivery and doctor refuse it with", () => {
    expect(problem(PROD)).toMatch(
      /^Hospital "st-anna" is of tier prod, and its state is a file.*"state": "gcs".*"stateBucket"/,
    );
    expect(problem({ ...PROD, stateBucket: "mri-state" })).toBeUndefined();
    expect(problem(PROD, "mri-platform-platform-state")).toBeUndefined();
  });

  test("may be one in other tiers", () => {
    expect(problem(TEST)).toBeUndefined();
    expect(problem({ ...TEST, tier: "ephemeral" })).toBeUndefined();
  });
});

describe("a region and its GPUs", () => {
  test.each([
    ["europe-west9", "nvidia-tesla-t4", "europe-west1 (St. Ghislain, Belgium"],
    ["europe-west8", "nvidia-tesla-t4", "europe-west3 (Frankfurt, Germany"],
    ["europe-west6", "nvidia-tesla-t4", "europe-west3 (Frankfurt, Germany, about 300 km, under another law)"],
    ["europe-west2", "nvidia-tesla-a100", "europe-west4 (Eemshaven, the Netherlands, about 520 km, under another law)"],
    ["europe-southwest1", "nvidia-a100-80gb", "europe-west4"],
    ["northamerica-northeast2", "nvidia-tesla-t4", "northamerica-northeast1 (Montreal"],
    ["us-south1", "nvidia-l4", "us-central1"],
    ["africa-south1", "nvidia-l4", "on another continent"],
    ["me-central1", "nvidia-l4", "me-central2"],
  ] as const)("%s has no %s, and the sentence says where to go: %s", (region, gpu, where) => {
    const [problem, ...others] = problemsOf([{ ...TEST, region, train: { gpu } }]);
    expect(others).toEqual([]);
    expect(problem).toContain(`"train.gpu" is "${gpu}", which ${region} does not have`);
    expect(problem).toContain(where);
  });

  test("nobody in Europe is sent elsewhere for a GPU that Europe has", () => {
    for (const region of Object.keys(REGIONS).filter((name) => name.startsWith("europe-")))
      for (const gpu of GPUS) expect(nearestWith(region, gpu)?.name).toMatch(/^europe-/);
  });

  test("what the list does not have yet is let in by name", () => {
    const newer = { ...PROD, region: "europe-west99" };
    expect(problemsOf([newer])).toHaveLength(1);
    const [hospital] = parseHospitals([newer], undefined, { extraRegions: ["europe-west99"] });
    expect(hospital?.train).toEqual({ gpu: "nvidia-l4", spot: false, zones: undefined });
    const zones = ["europe-west9-b"];
    const line = { ...PROD, region: "europe-west9", train: { gpu: "nvidia-tesla-t4", zones } } as const;
    expect(parseHospitals([line])[0]?.train).toEqual({ gpu: "nvidia-tesla-t4", spot: false, zones });
    expect(problemsOf([{ ...line, train: { ...line.train, zones: ["europe-west4-a"] } }])).toEqual([
      expect.stringContaining('"europe-west4-a", which lies outside europe-west9'),
    ]);
  });

  test("a teacher lies in the hospital's own bucket of models, which is what the training machine may read", () => {
    const own = `gs://${PROD.project}-${PROD.name}-models/backbones/b`;
    expect(problemsOf([{ ...PROD, train: { teacher: own } }])).toEqual([]);
    expect(parseHospitals([{ ...PROD, train: { teacher: own } }])[0]?.train.teacher).toBe(own);
    expect(parseHospitals([{ ...PROD, train: { teacher: own, serves: "teacher" } }])[0]?.train.serves).toBe("teacher");
    expect(problemsOf([{ ...PROD, train: { serves: "pupil" } }])).toEqual([]);
    expect(problemsOf([{ ...PROD, train: { serves: "teacher" } }])).toEqual([
      expect.stringContaining('"train.serves" is "teacher", and "train.teacher" names none'),
    ]);
    for (const bucket of ["another-bucket", `${PROD.project}-${PROD.name}-curated`])
      expect(problemsOf([{ ...PROD, train: { teacher: `gs://${bucket}/b` } }])).toEqual([
        expect.stringContaining(
          `allowed: a folder of the hospital's own bucket of models, ${own.slice(0, -11)}FOLDER.`,
        ),
      ]);
  });

  test("a backbone lies in the hospital's own bucket of models, which is what the cluster may read", () => {
    const own = `gs://${PROD.project}-${PROD.name}-models/backbones/b`;
    expect(parseHospitals([{ ...PROD, features: { backbone: own } }])[0]?.features.backbone).toBe(own);
    expect(problemsOf([{ ...PROD, features: { backbone: own.replace("-models", "-curated") } }])).toEqual([
      expect.stringContaining(
        '-curated/backbones/b", which the cluster may not read; allowed: a folder of the hospital',
      ),
    ]);
  });

  test("one H100 is had as a Spot machine alone", () => {
    expect(problemsOf([{ ...PROD, train: { gpu: "nvidia-h100-80gb" } }])).toEqual([
      expect.stringContaining('"train.spot" is false by default in tier prod with "nvidia-h100-80gb"; allowed: true'),
    ]);
    expect(problemsOf([{ ...PROD, train: { gpu: "nvidia-h100-80gb", spot: true } }])).toEqual([]);
  });

  test("every listed zone is written as Google does, and a region is listed once for each continent's word", () => {
    for (const [name, { gpus, at }] of Object.entries(REGIONS)) {
      expect(problemsOf([{ ...PROD, region: name }])).toEqual([]);
      for (const zones of Object.values(gpus)) expect(zones).toMatch(/^[a-f]+$/);
      expect(Math.abs(at[0])).toBeLessThan(65);
      expect(Math.abs(at[1])).toBeLessThan(180);
    }
  });
});

describe("the list", () => {
  test.each([
    ["not a list", { name: "x" }],
    ["empty", []],
    ["of something else", [5, null, "st-anna"]],
  ])("%s is refused", (_what, lines) => {
    expect(problemsOf(lines).length).toBeGreaterThan(0);
  });

  test("names and projects are not used twice, except by ephemeral environments", () => {
    expect(problemsOf([PROD, { ...TEST, name: PROD.name }])).toEqual([expect.stringContaining("as is line 1")]);
    expect(problemsOf([PROD, { ...TEST, project: PROD.project }])).toEqual([
      expect.stringContaining(`the project of hospital "${PROD.name}"`),
    ]);
    const ephemeral = { ...TEST, tier: "ephemeral" } as const;
    expect(problemsOf([ephemeral, { ...ephemeral, name: "run-2" }])).toEqual([]);
    expect(problemsOf([ephemeral, { ...PROD, project: ephemeral.project }])).toHaveLength(1);
  });

  test("two hospitals never end up with the same bucket names", () => {
    expect(
      problemsOf([
        { ...PROD, project: "mri-abc", name: "de" },
        { ...TEST, project: "mri-abc-d", name: "ef" },
      ]),
    ).toEqual([]);
    expect(
      problemsOf([
        { ...PROD, project: "mri-abc", name: "de-fg" },
        { ...TEST, project: "mri-abc-de", name: "fg" },
      ]),
    ).toEqual([expect.stringContaining("the same names")]);
  });

  test("a line with six mistakes has six sentences", () => {
    const problems = problemsOf([
      {
        name: "St Anna",
        tier: "production",
        project: "x",
        projectNumber: "number",
        region: "europe",
        buget: 100,
      },
    ]);
    expect(problems).toHaveLength(6);
    for (const problem of problems) expect(problem).toMatch(/^Hospital "St Anna" \(line 1\): .+allowed: .+\.$/);
  });

  test("every problem of every hospital is told at once", () => {
    const problems = problemsOf([
      { ...PROD, region: "nowhere", removal: "destroy" },
      { ...TEST, tier: "x", projectNumber: "y" },
      {},
    ]);
    expect(problems.filter((problem) => problem.includes('"st-anna"'))).toHaveLength(2);
    expect(problems.filter((problem) => problem.includes('"sandbox"'))).toHaveLength(2);
    expect(problems.filter((problem) => problem.startsWith("Line 3"))).toHaveLength(5);
  });
});

test.each(["__proto__", "constructor", "toString"])("a key %s of a line in JSON is none that is known", (key) => {
  const line = JSON.parse(
    `{"name":"st-x","tier":"prod","project":"bts-st-x","projectNumber":"123456789012","region":"europe-west4","${key}":{"removal":"destroy"}}`,
  );
  expect(() => parseHospitals([line])).toThrow(ConfigurationError);
});

test.each(["008.8.8.0/24", "8.8.08.0/24", "010.0.0.0/16"])(
  "a destination %s is no range: Terraform takes no leading zero",
  (cidr) => {
    const network = { egress: [{ name: "pacs", cidr, ports: [443] }] };
    const line = {
      name: "st-x",
      tier: "prod",
      project: "bts-st-x",
      projectNumber: "123456789012",
      region: "europe-west4",
    };
    expect(() => parseHospitals([{ ...line, network }])).toThrow(/"network\.egress/);
  },
);
