import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { z } from "zod";
import { bundleRuntime } from "../../constructs/core/runtime-bundle";
import { localSubmission, type SparkStep } from "../../runtime/cli/spark";
import { type RuntimeContract, tablesRead, usesTables } from "../../runtime/platform/contract";
import { openWorkspace } from "../../runtime/platform/workspace";
import { buildServer } from "../../runtime/serve/app";
import type { ImageLock } from "../../stacks/images";
import { type Json, PROD, PUSHED, type Resource, stackOf, synthesize, TEST } from "../stacks/synthesize";
import {
  accessProblems,
  type Deployed,
  driversOf,
  entryProblems,
  environmentProblems,
  hostOf,
  jobs,
  own,
  probeProblems,
  ROOT,
  whoseRights,
} from "./checks";

/** What the architecture calls paired: a folder of this name in constructs/ and in runtime/, or in neither. */
const PAIRED = [
  "ingest",
  "pacs",
  "preprocess",
  "features",
  "score",
  "train",
  "serve",
  "deliver",
  "retrain",
  "monitor",
  "audit",
];

const hasRuntime = (name: string) => existsSync(join(ROOT, "runtime", name));
const hasConstruct = (name: string) => existsSync(join(ROOT, "constructs", name));
const folders = (area: string) => readdirSync(join(ROOT, area), { withFileTypes: true }).filter((e) => e.isDirectory());

/** The contract that a capability exports, whatever it calls it. */
function contractOf(name: string): RuntimeContract {
  const exported = Object.values(require(join(ROOT, "runtime", name, "contract")) as Record<string, unknown>);
  const found = exported.filter(
    (value): value is RuntimeContract =>
      typeof value === "object" && value !== null && "entry" in value && "env" in value,
  );
  if (found.length !== 1)
    throw new Error(`runtime/${name}/contract.ts must export one contract; it has ${found.length}.`);
  return found[0] as RuntimeContract;
}

describe("the house", () => {
  test.each(PAIRED)("%s stands on both sides, or on neither", (name) => {
    expect({ name, construct: hasConstruct(name) }).toEqual({ name, construct: hasRuntime(name) });
  });

  test("only a paired capability has a contract, and each has one", () => {
    const withContract = folders("runtime")
      .map(({ name }) => name)
      .filter((name) => existsSync(join(ROOT, "runtime", name, "contract.ts")) && name !== "platform");
    expect(withContract.sort()).toEqual(PAIRED.filter(hasRuntime).sort());
  });

  test("what runs as an image has a Dockerfile, and no other has", () => {
    const named = folders("images").map(({ name }) => name);
    expect(named.sort()).toEqual(Object.keys(PUSHED.images).sort());
    for (const name of named) expect(PAIRED).toContain(name);
  });
});

const NAMES = PAIRED.filter((name) => hasRuntime(name) && hasConstruct(name));
/** With all that a line may ask for. */
const RECEIVER = {
  to: "https://fhir.example.org/r4",
  addresses: ["203.0.113.7/32"],
  signingKey: "secrets/signing-key/versions/1",
  oauth2: {
    signInUrl: "https://login.example.org/token",
    clientId: "client",
    clientSecret: "secrets/client/versions/1",
    scope: "write",
  },
  mtls: { certificate: "secrets/certificate/versions/1", key: "secrets/key/versions/1" },
  ca: "secrets/ca/versions/1",
};
const WITH_ALL = [PROD, TEST].map((line) => {
  const features = { backbone: `gs://${line.project}-${line.name}-models/backbones/b` };
  return { ...line, pacs: "healthcare-api", delivery: RECEIVER, features } as const;
});
const stacks = synthesize(WITH_ALL).stacks;

const deployed = (name: string, hospital = PROD): Deployed => ({
  contract: contractOf(name),
  hospital,
  resources: stackOf(stacks, `${hospital.name}-app`).resources(),
  beside: NAMES.filter((other) => other !== name && hostOf(other) === hostOf(name)).map(contractOf),
});

test("every capability is paired", () => {
  expect(NAMES).toEqual(PAIRED);
});

test("the identity of the cluster has the rights of four capabilities, and each right is somebody's", () => {
  const onCluster = NAMES.filter((name) => hostOf(name) === "preprocess");
  expect(onCluster).toEqual(["preprocess", "features", "score", "monitor"]);
  expect(whoseRights(onCluster.map(contractOf))).toEqual({
    "read curated": ["preprocess", "score", "monitor"],
    "read processed": ["preprocess", "features"],
    "read models": ["features", "score", "monitor"],
    "read images": ["preprocess", "features", "score", "monitor"],
    "read assignments": ["preprocess", "features", "score", "monitor"],
    "read features_deep": ["features", "score", "monitor"],
    "read features_pca": ["features"],
    "read pca_fits": ["features"],
    "read predictions": ["score", "monitor"],
    "read feedback": ["monitor"],
    "read refusals": ["monitor"],
    "read reports": ["score"],
    "read input_statistics": ["monitor"],
    "read monitoring": ["monitor"],
    "create below models": ["features"],
    "create below reports": ["score"],
    "write processed": ["preprocess"],
    "append assignments": ["preprocess"],
    "append features_pca": ["features"],
    "append features_deep": ["features", "score"],
    "append pca_fits": ["features"],
    "append predictions": ["score"],
    "append input_statistics": ["monitor"],
    "append monitoring": ["monitor"],
  });
});

describe.each(NAMES)("%s", (name) => {
  test("has a contract of its folder's name, with an entry that exists", () => {
    const contract = contractOf(name);
    expect(contract.name).toBe(name);
    const files = [contract.entry, ...(contract.workers ?? []), ...Object.values(driversOf(contract))];
    for (const path of files) expect({ path, exists: existsSync(join(ROOT, path)) }).toEqual({ path, exists: true });
  });

  test("declares each bucket once: what may be written needs no right to create", () => {
    const { reads, creates, writes } = contractOf(name);
    for (const list of [reads, creates, writes]) expect(new Set(list).size).toBe(list.length);
    expect(creates.filter((bucket) => writes.includes(bucket))).toEqual([]);
  });

  test.each([PROD, TEST])(
    "gets the environment of its contract in $name: all that is needed, nothing unknown",
    (hospital) => {
      expect(environmentProblems(deployed(name, hospital))).toEqual([]);
    },
  );

  test.each([PROD, TEST])(
    "may do in $name what its contract declares as one identity of its own, no more, no less",
    (hospital) => {
      expect(accessProblems(deployed(name, hospital))).toEqual([]);
    },
  );

  test.each([PROD, TEST])("is probed in $name where its contract says", (hospital) => {
    expect(probeProblems(deployed(name, hospital))).toEqual([]);
  });

  test("is started at its contract's entry, in the bundle of its code", () => {
    expect(entryProblems(deployed(name), bundleRuntime(contractOf(name)), PUSHED)).toEqual([]);
  });
});

/** https://cloud.google.com/bigquery/docs/access-control: what of the two predefined roles concerns rows and jobs. */
const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  "roles/bigquery.jobUser": ["bigquery.jobs.create"],
  "roles/bigquery.dataViewer": ["bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.export"],
};
/** What a row is changed or deleted by: each takes all of its permissions. */
const CHANGES = [
  ["bigquery.tables.updateData", "bigquery.jobs.create"],
  ["bigquery.tables.deleteData"],
  ["bigquery.tables.delete"],
  ["bigquery.tables.update"],
  ["bigquery.tables.setIamPolicy"],
];

test.each([PROD, TEST])("no account of $name that runs anything can change or delete a row", (hospital) => {
  const [data, app] = ["data", "app"].map((kind) => stackOf(stacks, `${hospital.name}-${kind}`).resources());
  const roles = { ...PERMISSIONS };
  for (const { config } of (data as Resource[]).filter(({ type }) => type === "google_project_iam_custom_role"))
    roles[`projects/${config.project}/roles/${config.role_id}`] = config.permissions as string[];
  const held = new Map<string, Set<string>>();
  for (const { type, config } of app as Resource[]) {
    if (!/^google_(bigquery|project)_.*iam_member$/.test(type) || !/bigquery|Appender/.test(String(config.role)))
      continue;
    const mine = held.get(String(config.member)) ?? new Set();
    const permissions = roles[String(config.role)];
    expect([config.role, permissions]).toEqual([config.role, expect.any(Array)]);
    for (const permission of permissions ?? []) mine.add(permission);
    held.set(String(config.member), mine);
  }
  // Three that add and ask, the service that adds, and training, which asks.
  const sets = [...held.values()].map((set) => [...set].sort().join(" "));
  expect(new Set(sets)).toEqual(
    new Set([
      "bigquery.tables.get bigquery.tables.updateData",
      "bigquery.jobs.create bigquery.tables.export bigquery.tables.get bigquery.tables.getData",
    ]),
  );
  for (const permissions of held.values())
    for (const change of CHANGES) expect(change.every((one) => permissions.has(one))).toBe(false);
});

describe("probes ask what exists", () => {
  const servers = NAMES.filter((name) => contractOf(name).health !== null);

  test("serve answers them, and no other capability listens", async () => {
    expect(servers).toEqual(["serve"]);
    const folder = mkdtempSync(join(tmpdir(), "probes-"));
    const workspace = await openWorkspace(folder);
    const { models, reports } = workspace.buckets;
    const log = pino({ level: "silent" });
    const app = await buildServer({ models, reports, warehouse: workspace.warehouse, log });
    try {
      const status = async (url: string) => (await app.inject({ method: "GET", url })).statusCode;
      const { health } = contractOf("serve");
      expect(await status(String(health?.liveness))).toBe(200);
      // It is there, and no model is.
      expect(await status(String(health?.startup))).toBe(503);
      expect(await status("/nowhere")).toBe(404);
    } finally {
      await app.close();
      await workspace.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** A copy in which a part was changed. */
function changed(
  before: Deployed,
  change: (copy: { contract: RuntimeContract; resources: Resource[] }) => void,
): Deployed {
  const copy = {
    ...before,
    contract: { ...before.contract },
    resources: structuredClone(before.resources) as Resource[],
  };
  change(copy);
  return copy;
}

/** Replaces texts in the resources that a capability made. */
function replaced(before: Deployed, pattern: RegExp, by: string): Deployed {
  const paths = new Set(own(before).map(({ path }) => path));
  let count = 0;
  const after = changed(before, (copy) => {
    copy.resources = copy.resources.map((resource) => {
      if (!paths.has(resource.path)) return resource;
      const text = JSON.stringify(resource.config);
      const next = text.replace(pattern, by);
      if (next !== text) count++;
      return { ...resource, config: JSON.parse(next) as Json };
    });
  });
  expect(count).toBeGreaterThan(0);
  return after;
}

const CREATOR = "roles/storage\\.objectCreator";

describe.each(NAMES)("a change in %s on one side only is found:", (name) => {
  const before = deployed(name);
  const { contract } = before;
  const [variable] = Object.keys(contract.env.shape) as [string];
  const grants = before.resources.filter(
    ({ type, path }) => type === "google_storage_bucket_iam_member" && path.includes(`/${hostOf(name)}/identity/`),
  );

  test("a variable that the contract renames", () => {
    const after = changed(before, (copy) => {
      const { [variable]: schema, ...others } = contract.env.shape;
      copy.contract = { ...contract, env: z.object({ ...others, RENAMED: schema as z.ZodType }) };
    });
    expect(environmentProblems(after)).toEqual([
      `${variable} is set and not in the contract.`,
      "RENAMED is needed and not set.",
    ]);
  });

  test("a variable that the resource renames", () => {
    const after = replaced(before, new RegExp(`(?<![A-Z_])${variable}(?![A-Z_])`, "g"), `${variable}X`);
    expect(environmentProblems(after)).toEqual([
      `${variable}X is set and not in the contract.`,
      `${variable} is needed and not set.`,
    ]);
  });

  test("a value that the process refuses", () => {
    const [which, value] = usesTables(contract)
      ? (["WAREHOUSE", /bigquery:\/\/mri-st-anna\/brain_tumor_st_anna/g] as const)
      : (["LANDING_BUCKET", /gs:\/\/mri-st-anna-st-anna-landing/g] as const);
    const after = replaced(before, value, "s3://elsewhere");
    expect(environmentProblems(after)).toEqual([`${which} is "s3://elsewhere", which the process refuses.`]);
  });

  test("a bucket that the contract reads in addition, or no longer", () => {
    const missing = (["landing", "quarantine"] as const).find((bucket) => !contract.reads.includes(bucket));
    const more = changed(before, (copy) => {
      copy.contract = { ...contract, reads: [...contract.reads, missing as "landing"] };
    });
    // Ingest may add to quarantine already; reading is another right.
    expect(accessProblems(more)).toContain(
      `bucket: ${missing} roles/storage.objectViewer is declared and not deployed.`,
    );
    const less = changed({ ...before, beside: [] }, (copy) => {
      copy.contract = { ...contract, reads: [], creates: [], createsBelow: {}, writes: [], appends: [] };
    });
    expect(accessProblems(less).length).toBeGreaterThanOrEqual(3);
  });

  test.each(grants.map(({ path }) => path))("the grant %s that goes", (path) => {
    const after = changed(before, (copy) => {
      copy.resources = copy.resources.filter((resource) => resource.path !== path);
    });
    expect(accessProblems(after)).toEqual([expect.stringMatching(/is declared and not deployed/)]);
  });

  test("a grant that becomes more, and one on the project", () => {
    const [grant] = grants as [Resource];
    const admin = changed(before, (copy) => {
      const { condition: _condition, ...config } = grant.config;
      copy.resources.push({ ...grant, config: { ...config, role: "roles/storage.admin" } });
    });
    expect(accessProblems(admin)).toEqual([
      expect.stringMatching(/roles\/storage\.admin(?: if .*)? is deployed and not declared/),
    ]);
    const project = changed(before, (copy) => {
      const config = { member: grant.config.member, role: "roles/storage.objectViewer" };
      copy.resources.push({ ...grant, type: "google_project_iam_member", config });
    });
    expect(accessProblems(project)).toEqual([expect.stringMatching(/^project: .* is deployed and not declared/)]);
  });

  for (const table of contract.appends)
    test(`the table ${table} that the contract no longer appends to, and one in addition`, () => {
      const less = changed({ ...before, beside: [] }, (copy) => {
        copy.contract = { ...contract, appends: contract.appends.filter((one) => one !== table) };
      });
      expect(accessProblems(less)).toContainEqual(
        expect.stringMatching(
          new RegExp(`^table: ${table} projects/.*/roles/brainTumorAppender is deployed and not declared`),
        ),
      );
      const more = changed(before, (copy) => {
        copy.contract = { ...contract, appends: [...contract.appends, "outcomes" as "images"] };
      });
      expect(accessProblems(more)).toEqual([
        expect.stringMatching(/^table: outcomes projects\/.*brainTumorAppender is declared and not deployed/),
      ]);
    });

  test("an account that adds rows and may run jobs, or one that asks and may do more or serves others too", () => {
    // Neither who adds nor who asks nothing may run a job.
    const mayNot = contract.appends.length > 0 || tablesRead(contract).length === 0;
    const project = before.resources.find(({ type }) => type === "google_project_iam_member") as Resource;
    const [account] = before.resources.filter(
      ({ type, path }) => type === "google_service_account" && path.endsWith(`/${hostOf(name)}/identity/account`),
    );
    const member = `\${google_service_account.${account?.logicalId}.member}`;
    const jobs = changed(before, (copy) => {
      const config = { member, role: "roles/bigquery.jobUser" };
      if (mayNot) copy.resources.push({ ...project, config });
      else
        copy.resources = copy.resources.filter(
          ({ config: { role, member: of } }) => role !== config.role || of !== member,
        );
    });
    expect(accessProblems(jobs)).toEqual([expect.stringMatching(/^project: roles\/bigquery\.jobUser is /)]);

    const reader = before.resources.filter(({ path }) => path.includes(`/${hostOf(name)}/identity/reader/`));
    const act = reader.find(({ type }) => type === "google_service_account_iam_member");
    if (!act) return;
    const other = changed(before, (copy) => {
      copy.resources.push({ ...act, config: { ...act.config, member: "user:mallory@example.org" } });
    });
    expect(accessProblems(other)).toEqual([
      expect.stringMatching(/^reader: user:mallory.*TokenCreator is deployed and not/),
    ]);
    for (const role of ["roles/bigquery.dataEditor", "roles/bigquery.dataOwner"]) {
      const more = changed(before, (copy) => {
        for (const { type, path, config } of copy.resources)
          if (type === "google_bigquery_table_iam_member" && path.includes(`/${hostOf(name)}/identity/reader/`))
            config.role = role;
      });
      expect(accessProblems(more)).toContainEqual(
        expect.stringMatching(new RegExp(`^reader: .* ${role} is deployed and not declared`)),
      );
    }
  });

  for (const [bucket, objects] of Object.entries(contract.replaces ?? {}))
    test(`another object of ${bucket} that the contract replaces, and a condition that is gone or opens more`, () => {
      const more = changed(before, (copy) => {
        copy.contract = { ...contract, replaces: { ...contract.replaces, [bucket]: [...objects, "other.json"] } };
      });
      const found = [
        expect.stringMatching(new RegExp(`^bucket: ${bucket} roles/storage.objectUser.* is deployed and not declared`)),
        expect.stringMatching(
          new RegExp(`^bucket: ${bucket} roles/storage.objectUser if .* is declared and not deployed`),
        ),
      ];
      expect(accessProblems(more)).toEqual(found);
      for (const edit of [
        (config: Json) => delete config.condition,
        ({ condition }: Json) => {
          const { expression } = condition as { expression: string };
          const wider = expression.replace(/name == ("[^"]*")/, "name.startsWith($1)");
          (condition as Json).expression = wider === expression ? wider.replace(/(?<=\/objects\/)[^"]+/, "") : wider;
        },
      ]) {
        const edited = changed(before, (copy) => {
          for (const { path, config } of copy.resources) if (path.endsWith(`/identity/${bucket}-replace`)) edit(config);
        });
        expect(accessProblems(edited)).toEqual(found);
      }
    });

  for (const [bucket, below] of Object.entries(contract.createsBelow ?? {}))
    test(`another folder of ${bucket} that the contract creates in, and a condition that is gone or opens more`, () => {
      const more = changed(before, (copy) => {
        copy.contract = {
          ...contract,
          createsBelow: { ...contract.createsBelow, [bucket]: { ...below, folders: [...below.folders, "Cancer/"] } },
        };
      });
      const found = [
        expect.stringMatching(new RegExp(`^bucket: ${bucket} ${CREATOR}.* is deployed and not declared`)),
        expect.stringMatching(new RegExp(`^bucket: ${bucket} ${CREATOR} if .* is declared and not deployed`)),
      ];
      expect(accessProblems(more)).toEqual(found);
      for (const edit of [
        (config: Json) => delete config.condition,
        ({ condition }: Json) => {
          const { expression } = condition as { expression: string };
          const wider = expression.replace(/ && !.*$/, "");
          (condition as Json).expression = wider === expression ? wider.replace(/(?<=\/objects\/)[^"]+/, "") : wider;
        },
      ]) {
        const edited = changed(before, (copy) => {
          for (const { path, config } of copy.resources) if (path.endsWith(`/identity/${bucket}-append`)) edit(config);
        });
        expect(accessProblems(edited)).toEqual(found);
      }
    });

  test("an identity that is not its own", () => {
    const after = replaced(before, /google_service_account\.\w+\.email/g, "google_service_account.other.email");
    expect(accessProblems(after)).toEqual(["other is not its own identity."]);
  });

  test("a probe path", () => {
    const health = contract.health ?? { startup: "/readyz", liveness: "/healthz" };
    const other = changed(before, (copy) => {
      copy.contract = { ...contract, health: contract.health ? { ...health, startup: "/ready" } : health };
    });
    expect(probeProblems(other)).not.toEqual([]);
    if (contract.health)
      expect(probeProblems(replaced(before, /"\/healthz"/, '"/health"'))).toEqual([
        "liveness probe: /health is deployed and not declared.",
        "liveness probe: /healthz is declared and not deployed.",
      ]);
  });

  test("an entry, its function and its workers", () => {
    const bundle = bundleRuntime(contract);
    const elsewhere: RuntimeContract = { ...contract, entry: "runtime/platform/config.ts", workers: [] };
    const moved = changed(before, (copy) => {
      copy.contract = elsewhere;
    });
    expect(entryProblems(moved, bundleRuntime({ ...elsewhere, name: "elsewhere" }), PUSHED)).toContain(
      `The bundle has no function ${contract.target}.`,
    );
    const renamed = changed(before, (copy) => {
      copy.contract = { ...contract, target: "start", workers: [...(contract.workers ?? []), "runtime/x/helper.ts"] };
    });
    expect(entryProblems(renamed, bundle, PUSHED)).toEqual(
      expect.arrayContaining(["helper.js is not in the bundle.", "The bundle has no function start."]),
    );
  });

  test("what the resource starts", () => {
    const bundle = bundleRuntime(contract);
    const images: ImageLock = structuredClone(PUSHED);
    let after: Deployed;
    if (["ingest", "pacs", "deliver", "retrain"].includes(name))
      after = replaced(before, /"entry_point":"\w+"/, '"entry_point":"other"');
    else if (contract.drivers) after = replaced(before, new RegExp(`${name}/index\\.js`, "g"), `${name}/other.js`);
    else after = replaced(before, /@sha256:[0-9a-f]{64}/g, `@sha256:${"0".repeat(64)}`);
    expect(entryProblems(after, bundle, images)).toHaveLength(Math.max(1, Object.keys(driversOf(contract)).length));
  });
});

/** The workflow template of a hospital. */
const templateOf = (resources: readonly Resource[]): Resource => {
  const found = resources.filter(({ type }) => type === "google_dataproc_workflow_template");
  expect(found).toHaveLength(1);
  return found[0] as Resource;
};

describe("the workflow template", () => {
  const onSpark = NAMES.filter((name) => contractOf(name).drivers !== undefined);
  const stepsOf = (name: string) => Object.keys(driversOf(contractOf(name)));
  const job = (resources: readonly Resource[], step: string) =>
    jobs(templateOf(resources)).find(({ step_id }) => step_id === step) as Json & { pyspark_job: Json };

  /** Of steps that do not wait for the shards alone. */
  const WAITS_FOR: Readonly<Record<string, readonly string[] | "nothing">> = {
    preprocess: "nothing",
    monitor: ["score"],
    deep: ["pca"],
  };

  test("runs the drivers of all contracts and nothing else, the shards before what reads them", () => {
    const { resources } = deployed("preprocess");
    const ids = jobs(templateOf(resources)).map(({ step_id }) => step_id);
    expect([...ids].sort()).toEqual(onSpark.flatMap(stepsOf).sort());
    for (const id of ids)
      expect([id, job(resources, String(id)).prerequisite_step_ids ?? "nothing"]).toEqual([
        id,
        WAITS_FOR[String(id)] ?? ["preprocess"],
      ]);
  });

  describe.each(onSpark.flatMap((name) => stepsOf(name).map((step) => [name, step] as const)))(
    "%s: %s",
    (name, step) => {
      const before = deployed(name);
      const bundle = bundleRuntime(contractOf(name));
      const edited = (edit: (pyspark: Json) => void) =>
        changed(before, (copy) => {
          edit(job(copy.resources, step).pyspark_job);
        });

      test("is submitted as `npm run spark` submits it: values differ where a local path stands for gs:// or /opt", async () => {
        const folder = mkdtempSync(join(tmpdir(), "spark-"));
        const workspace = await openWorkspace(folder);
        try {
          const local = localSubmission(step as SparkStep, workspace.buckets);
          const { args, main_python_file_uri, python_file_uris } = job(before.resources, step).pyspark_job;
          // There the tables are asked as another account.
          const reader = (args as string[]).findIndex((value) => value.startsWith("WAREHOUSE_READER="));
          // On a machine the command names it.
          const backbone = (args as string[]).findIndex((value) => value.startsWith("BACKBONE="));
          expect(backbone >= 0).toBe(step === "deep");
          const elsewhere = [reader, backbone].flatMap((index) => (index < 0 ? [] : [index - 1, index]));
          const inCloud = (args as string[]).filter((_, index) => !elsewhere.includes(index));
          expect(local.arguments.map(form)).toEqual(inCloud.map(form));
          for (const [index, value] of inCloud.entries()) {
            if (value.startsWith("WAREHOUSE=")) {
              expect(local.arguments[index]).toBe(`WAREHOUSE=file://${join(folder, "warehouse")}`);
              continue;
            }
            const bucket = /=gs:\/\/mri-st-anna-st-anna-(\w+)$/.exec(value)?.[1];
            const here = String(local.arguments[index]);
            if (bucket) expect(here).toBe(value.replace(/gs:.*/, `file://${join(folder, bucket)}`));
            else if (value.endsWith("/node/bin/node")) expect(here).toBe(process.execPath);
            else if (value.startsWith("/opt/")) expect(here).toMatch(new RegExp(`/runtime/${name}/main\\.js$`));
            else expect(here).toBe(value);
          }
          // What is uploaded is compared with the repository where the bundle is.
          expect((python_file_uris as string[]).length).toBe(local.modules.length);
          expect(main_python_file_uri).toContain(`_files_${local.driver.replace(/^.*\/|\.py$/g, "")}_`);
        } finally {
          await workspace.close();
          rmSync(folder, { recursive: true, force: true });
        }
      });

      test("a variable that only this step lacks is found", () => {
        const after = edited((pyspark) => {
          pyspark.args = (pyspark.args as string[]).map((value) => value.replace(/^WAREHOUSE=/, "TABLES="));
        });
        expect(environmentProblems(after)).toEqual([
          "TABLES is set and not in the contract.",
          "WAREHOUSE is needed and not set.",
        ]);
      });

      test("another driver, a module that is not shipped, or is not the repository's, is found", () => {
        const other = edited((pyspark) => {
          pyspark.main_python_file_uri = (pyspark.python_file_uris as string[])[0];
        });
        expect(entryProblems(other, bundle, PUSHED)).toEqual([
          expect.stringMatching(/submits spark\/arguments\.py, not/),
        ]);
        const fewer = edited((pyspark) => {
          pyspark.python_file_uris = (pyspark.python_file_uris as string[]).slice(1);
        });
        expect(entryProblems(fewer, bundle, PUSHED)).toEqual([`The step ${step} lacks spark/arguments.py.`]);
        const stale = changed(before, (copy) => {
          for (const { config } of copy.resources)
            if (String(config.name).endsWith("/arguments.py"))
              config.source = "assets/arguments/0123456789abcdef/arguments.py";
        });
        expect(entryProblems(stale, bundle, PUSHED)).toEqual(
          expect.arrayContaining([expect.stringMatching(/ships gs:.*arguments.*, not of the repository/)]),
        );
      });

      test("nodes that install another bundle, and a step that is not there, are found", () => {
        const installed = changed(before, (copy) => {
          const template = templateOf(copy.resources);
          const text = JSON.stringify(template.config);
          Object.assign(template.config, JSON.parse(text.replace(`${name}=gs://`, `${name}-old=gs://`)));
        });
        expect(entryProblems(installed, bundle, PUSHED)).toContain(
          "The bundle that is uploaded is not the one that the nodes install.",
        );
        const gone = changed(before, (copy) => {
          const { config } = templateOf(copy.resources);
          config.jobs = (config.jobs as Json[]).filter(({ step_id }) => step_id !== step);
        });
        expect(entryProblems(gone, bundle, PUSHED)).toEqual([`The workflow has no step ${step}.`]);
      });
    },
  );
});

/** An argument without what may differ: of a flag its name, of a variable its key, of a path nothing. */
function form(argument: string): string {
  if (argument.startsWith("--")) return argument;
  return /^[A-Z_]+=/.exec(argument)?.[0] ?? "<value>";
}
