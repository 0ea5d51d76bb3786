import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PROJECT_SERVICES } from "../../constructs/core/project-services";
import { GcsStore, type ObjectStore } from "../../runtime/platform/stores";
import { CURRENT_IMAGES, ObjectStoreWarehouse } from "../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { type Hospital, parseHospitals } from "../../stacks/config";
import { doctor, type Outside } from "../../tools/doctor";
import { Declared } from "../../tools/doctor/declared";
import { grants } from "../../tools/doctor/grants";
import { PROBE_NAME } from "../../tools/doctor/probe";
import type { Runner } from "../../tools/gcloud";
import type { Json } from "../../tools/synthesized";
import { EXAMPLE_IMAGES, EXAMPLE_PLATFORM, TIER_HOSPITALS, withTierStacks } from "../../tools/tiers";
import { captureOutput } from "../support/captured-output";
import { type GcsServer, startGcsServer } from "../support/gcs-server";
import { answering, freePort, stopProcess } from "../support/processes";
import { promote, storeModel } from "../support/served-model";

const printed = captureOutput();
const ROOT = join(__dirname, "..", "..");
const PROJECT = "example-prod";
const NUMBER = "100000000001";
const scratch = mkdtempSync(join(tmpdir(), "doctor-"));
const hospitals = join(scratch, "hospitals.json");
writeFileSync(hospitals, JSON.stringify(TIER_HOSPITALS));
const stacks = withTierStacks(join(scratch, "stacks"), (all) => all);
const declared = new Declared(
  stacks.filter(({ name }) => /^prod-/.test(name)),
  { projectNumber: NUMBER },
);
const [hospital] = parseHospitals(TIER_HOSPITALS) as [Hospital];
/** As they were synthesized once: with every option, and images. */
const STACKS = ["--hospitals", hospitals, "--dir", join(scratch, "stacks")];
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Which declared grants a policy is made of, by the words that ask for it and the argument that has its name. */
const POLICIES: readonly (readonly [RegExp, string, string])[] = [
  [/^gcloud storage buckets get-iam-policy gs:\/\/(\S+) /, "google_storage_bucket_iam_member", "bucket"],
  [/^gcloud kms keys get-iam-policy (\S+) /, "google_kms_crypto_key_iam_member", "crypto_key_id"],
  [/^gcloud projects get-iam-policy (\S+) /, "google_project_iam_member", "project"],
  [/^gcloud pubsub topics get-iam-policy (\S+) --project=example-prod /, "google_pubsub_topic_iam_member", "topic"],
  [/^gcloud pubsub subscriptions get-iam-policy (\S+) /, "google_pubsub_subscription_iam_member", "subscription"],
  [/^gcloud run services get-iam-policy (\S+) --region=europe/, "google_cloud_run_v2_service_iam_member", "name"],
  [/^gcloud run jobs get-iam-policy (\S+) --region=europe/, "google_cloud_run_v2_job_iam_member", "name"],
  [
    /^bq get-iam-policy --table=true example-prod:brain_tumor_prod\.(\S+) /,
    "google_bigquery_table_iam_member",
    "table_id",
  ],
  [
    /^gcloud iap web get-iam-policy --resource-type=backend-services --service=(\S+) /,
    "google_iap_web_backend_service_iam_member",
    "web_backend_service",
  ],
  [
    /^gcloud artifacts repositories get-iam-policy (\S+) --location=europe-west4 /,
    "google_artifact_registry_repository_iam_member",
    "repository",
  ],
  [
    /^gcloud iam service-accounts get-iam-policy (\S+)@example-prod\.iam/,
    "google_service_account_iam_member",
    "service_account_id",
  ],
];

const nameOfAccount = (id: unknown) => /\/serviceAccounts\/(.+)@/.exec(String(id))?.[1];

const ADDRESS = "203.0.113.7";
const SERVE = `${EXAMPLE_IMAGES.images.serve?.image}@${EXAMPLE_IMAGES.images.serve?.digest}`;

/** Google Cloud after a deploy, as its command line prints it. An answer of its own takes the place of the right one. */
function google(own: Readonly<Record<string, unknown>> = {}, takenAway: (grant: Json) => boolean = () => false) {
  const ran: string[] = [];
  const answers: readonly (readonly [RegExp, (match: string) => unknown])[] = [
    [/^gcloud projects describe (\S+)/, () => ({ projectNumber: NUMBER, lifecycleState: "ACTIVE" })],
    [/^gcloud services list --enabled/, () => PROJECT_SERVICES.map((name) => ({ config: { name }, state: "ENABLED" }))],
    ...POLICIES.map(
      ([pattern, type, key]) =>
        [
          pattern,
          (name: string) => ({
            etag: "BwY=",
            version: 3,
            bindings: declared
              .ofType(type)
              .filter((grant) => [grant[key], nameOfAccount(grant[key])].includes(name) && !takenAway(grant))
              .map(({ role, member, condition }) => ({
                role,
                members: [String(member)],
                ...(Array.isArray(condition) || condition ? { condition: [condition].flat()[0] } : {}),
              })),
          }),
        ] as const,
    ),
    [/^gcloud storage buckets describe/, () => ({ versioning_enabled: true, public_access_prevention: "enforced" })],
    // Nobody tries a model out: see doctor-canary.test.ts.
    [
      /^gcloud storage objects describe gs:\/\/example-prod-prod-models\/(?:canary|current)\.json /,
      () => {
        throw new Error("ERROR: (gcloud.storage.objects.describe) gs://b/o not found: 404.");
      },
    ],
    [/^gcloud storage objects describe/, () => ({ name: "prod-data/default.tfstate" })],
    [/^gcloud kms keys versions describe/, () => ({ state: "ENABLED" })],
    [/^gcloud kms keys describe \S+\/data /, () => ({ purpose: "ENCRYPT_DECRYPT", primary: { state: "ENABLED" } })],
    [/^gcloud kms keys describe \S+\/pseudonym /, () => ({ purpose: "MAC" })],
    [/^gcloud kms keys describe \S+\/audit /, () => ({ purpose: "ASYMMETRIC_SIGN" })],
    [/^gcloud artifacts docker images describe \S+@(\S+)/, (digest) => ({ image_summary: { digest } })],
    [
      /^gcloud functions describe prod-(?:ingest|retrain) --region=europe-west4 --project=example-prod --v2/,
      () => ({ state: "ACTIVE" }),
    ],
    [
      /^gcloud run services describe prod-serve/,
      () => ({
        spec: { template: { spec: { containers: [{ image: SERVE }] } } },
        status: { conditions: [{ type: "Ready", status: "True" }] },
      }),
    ],
    [/^gcloud compute addresses describe prod-serve --global/, () => ({ address: ADDRESS })],
    [/^gcloud compute ssl-certificates describe prod-serve-/, () => ({ managed: { status: "ACTIVE" } })],
  ];
  const run: Runner = (command) => {
    const line = command.join(" ");
    ran.push(line);
    const given = Object.entries(own).find(([words]) => line.includes(words));
    if (given) {
      if (given[1] instanceof Error) throw given[1];
      return JSON.stringify(given[1]);
    }
    for (const [pattern, answer] of answers) {
      const match = pattern.exec(line);
      if (match) return JSON.stringify(answer(match[1] ?? ""));
    }
    throw new Error(`"${line}" failed: ERROR: the test knows no answer`);
  };
  return { run, ran };
}

const signIn = async () =>
  new Response(null, {
    status: 302,
    headers: { location: "https://accounts.google.com/o/oauth2/v2/auth?client_id=1" },
  });

function outside(run: Runner, more: Partial<Outside> = {}): Outside {
  return {
    run,
    network: { resolve: async () => [ADDRESS], fetch: signIn },
    open: () => Promise.reject(new Error("No bucket is opened.")),
    openTables: () => Promise.reject(new Error("No table is opened.")),
    app: { platform: EXAMPLE_PLATFORM, images: EXAMPLE_IMAGES, variables: {} },
    ...more,
  };
}

interface Told {
  readonly code: number;
  readonly findings: {
    readonly check: string;
    readonly status: string;
    readonly says: string;
    readonly todo?: string;
  }[];
}

async function examine(args: readonly string[], where: Outside): Promise<Told> {
  const before = printed().length;
  const code = await doctor(["prod", ...STACKS, "--json", ...args], where);
  return { code, ...(JSON.parse(printed().slice(before)) as Omit<Told, "code">) };
}

const failures = ({ findings }: Told) => findings.filter(({ status }) => status === "failed").map(({ check }) => check);

describe("what the stacks declare", () => {
  test("has every reference to an identity followed to its address", () => {
    const members = declared.resources
      .filter(({ type }) => type.endsWith("_iam_member"))
      .map(({ config }) => config.member);
    expect(members).toContain(`serviceAccount:prod-ingest@${PROJECT}.iam.gserviceaccount.com`);
    expect(members).toContain(`serviceAccount:service-${NUMBER}@gcp-sa-logging.iam.gserviceaccount.com`);
    expect(JSON.stringify(members)).not.toContain("${");
    expect(declared.ofType("google_service_account_iam_member").map((grant) => grant.service_account_id)).toContain(
      `projects/${PROJECT}/serviceAccounts/prod-ingest-push@${PROJECT}.iam.gserviceaccount.com`,
    );
  });
});

describe("npm run doctor", () => {
  test("after a deploy that is right finds nothing wrong, and only asks", async () => {
    const { run, ran } = google();
    const told = await examine([], outside(run));
    expect(failures(told)).toEqual([]);
    expect(told.code).toBe(0);
    expect(told.findings.filter(({ status }) => status === "skipped").map(({ check }) => check)).toEqual([
      "grants on masked columns",
      "ready",
      "probe",
    ]);
    expect(told.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        "project",
        "apis",
        "agents",
        "state of prod-data",
        "state of prod-app",
        "key brain-tumor-prod/data",
        "key brain-tumor-prod/pseudonym/1",
        "grants on buckets",
        "grants on keys",
        "grants on tables",
        "image serve",
        "image train",
        "function prod-ingest",
        "service prod-serve",
        "canary",
        "dns",
        "certificate",
        "page",
      ]),
    );
    for (const line of ran) {
      expect(line).toMatch(/ (?:list|describe|get-iam-policy) /);
      expect(line).not.toMatch(/ (?:create|delete|update|add-iam-policy-binding|set-iam-policy|enable) /);
    }
    // Nothing is asked for twice.
    expect(ran.filter((line) => line.includes("storage buckets get-iam-policy")).length).toBeLessThan(15);
  });

  const refused = new Error('"gcloud x" failed: ERROR: (gcloud.x) NOT_FOUND: Requested entity was not found.');
  const denied = new Error(
    '"gcloud x" failed: ERROR: (gcloud.x) PERMISSION_DENIED: The caller does not have permission\nmore',
  );
  test.each<[string, Record<string, unknown>, string[], string]>([
    [
      "the number of another project",
      { "projects describe": { projectNumber: "7", lifecycleState: "ACTIVE" } },
      ["project"],
      "Correct",
    ],
    ["a project that is not there", { "projects describe": refused }, ["project"], "Correct"],
    [
      "an API that is off",
      {
        "services list": PROJECT_SERVICES.filter((name) => !/pubsub/.test(name)).map((name) => ({ config: { name } })),
      },
      ["apis"],
      "npm run prepare-project -- prod --run",
    ],
    [
      "a state bucket without versions",
      { "buckets describe": { public_access_prevention: "enforced" } },
      ["state of prod-app", "state of prod-data"],
      "deploy bootstrap",
    ],
    [
      "no state",
      { "objects describe gs://example-platform-platform-state/prod-app/": refused },
      ["state of prod-app"],
      "deploy prod-app",
    ],
    [
      "a key whose primary version is destroyed",
      {
        "keys describe projects/example-prod/locations/europe-west4/keyRings/brain-tumor-prod/cryptoKeys/data": {
          purpose: "ENCRYPT_DECRYPT",
          primary: { state: "DESTROY_SCHEDULED", name: "projects/p/cryptoKeyVersions/4" },
        },
      },
      ["key brain-tumor-prod/data"],
      "gcloud kms keys versions restore projects/p/cryptoKeyVersions/4",
    ],
    [
      "a pseudonym key version that is off",
      { "cryptoKeys/pseudonym/cryptoKeyVersions": { state: "DISABLED" } },
      ["key brain-tumor-prod/pseudonym/1"],
      "restore",
    ],
    ["an image that is gone", { "brain-tumor-images/train@": refused }, ["image train"], "npm run image"],
    [
      "a service that runs another image",
      {
        "run services describe": {
          spec: { template: { spec: { containers: [{ image: `${SERVE}0` }] } } },
          status: { conditions: [{ type: "Ready", status: "True" }] },
        },
      },
      ["service prod-serve"],
      "deploy prod-app",
    ],
    [
      "a service that is not ready",
      {
        "run services describe": {
          spec: { template: { spec: { containers: [{ image: SERVE }] } } },
          status: { conditions: [{ type: "Ready", status: "False", message: "no-model" }] },
        },
      },
      ["service prod-serve"],
      "promoted model",
    ],
    [
      "a function that failed",
      { "functions describe prod-ingest": { state: "FAILED" } },
      ["function prod-ingest"],
      "deploy prod-app",
    ],
    [
      "a certificate that waits",
      {
        "ssl-certificates describe": {
          managed: { status: "PROVISIONING", domainStatus: { "mri.example.org": "FAILED_NOT_VISIBLE" } },
        },
      },
      ["certificate"],
      "address record",
    ],
    ["an address that is not there", { "addresses describe": refused }, ["dns"], "deploy prod-app"],
    ["no right to look", { "ssl-certificates describe": denied }, ["certificate"], "Sign in"],
  ])("finds %s, alone, and says what to do", async (_what, own, expected, todo) => {
    const told = await examine([], outside(google(own).run));
    expect(failures(told)).toEqual(expected);
    expect(told.code).toBe(1);
    for (const { todo: said = "", says } of told.findings.filter(({ status }) => status === "failed")) {
      expect(said).toContain(todo);
      expect(says).not.toMatch(/\n|undefined/);
    }
  });

  test.each([
    ["of another", ["198.51.100.1"]],
    ["and of another one", [ADDRESS, "198.51.100.1"]],
    ["of nobody", []],
  ])("finds a domain that is the address %s", async (_whose, addresses) => {
    const network = { resolve: async () => addresses, fetch: signIn };
    expect(failures(await examine([], outside(google().run, { network })))).toEqual(["dns"]);
  });

  test("finds a page that asks nobody who they are", async () => {
    const network = { resolve: async () => [ADDRESS], fetch: async () => new Response("<html>", { status: 200 }) };
    expect(failures(await examine([], outside(google().run, { network })))).toEqual(["page"]);
  });

  test("finds each grant that is missing, by what was given to whom on what", async () => {
    const given = declared.resources.filter(({ type }) => /(?<!data_policy)_iam_member$/.test(type));
    expect(given.length).toBeGreaterThan(50);
    for (const { config } of given) {
      const same = (grant: Json) => JSON.stringify(grant) === JSON.stringify(config);
      const found = await grants({ hospital, declared, dry: false, run: google({}, same).run });
      const [wrong, ...others] = found.filter(({ status }) => status === "failed");
      expect(others).toEqual([]);
      expect(wrong?.says).toMatch(/^1 of \d+ are missing: /);
      expect(wrong?.says).toContain(`${config.role} for ${config.member} on `);
      expect(wrong?.todo).toMatch(/npm run cdktf -- deploy prod-(?:data|app)/);
    }
  });

  test("a prod hospital whose state is a file is refused", async () => {
    const app = { platform: { ...EXAMPLE_PLATFORM, state: "local" as const }, images: EXAMPLE_IMAGES, variables: {} };
    expect(await doctor(["prod", "--hospitals", hospitals], outside(google().run, { app }))).toBe(1);
    expect(printed()).toMatch(/^failed +state of prod-data +Hospital "prod" is of tier prod, and its state is a file/m);
    expect(printed()).toMatch(/: \d+ ok, 2 failed,/);
  });

  test("--dry, before the first deploy, asks for what has to be there and for nothing else", async () => {
    const nothing = {
      "get-iam-policy": { bindings: [] },
      "functions describe": refused,
      "run services": refused,
      "kms keys": refused,
      "objects describe": refused,
    };
    const { run, ran } = google(nothing);
    const told = await examine(["--dry"], outside(run));
    expect(failures(told)).toEqual([]);
    expect(told.code).toBe(0);
    expect(told.findings.find(({ check }) => check === "agents")).toMatchObject({
      status: "skipped",
      todo: expect.stringContaining("prepare-project"),
    });
    expect(ran.filter((line) => /compute|functions|run services|objects/.test(line))).toEqual([]);
    expect(
      failures(await examine(["--dry"], outside(google({ ...nothing, "buckets describe": refused }).run))),
    ).toEqual(["state of prod-app", "state of prod-data"]);
  });

  test.each([
    [["prod", "--dir", join(scratch, "stacks-ci")], "There is no stack prod-data"],
    [["nowhere"], 'There is no target "nowhere"'],
    [["platform"], '"platform" is no hospital'],
    [["prod", "--wait", "soon"], '--wait is "soon"'],
    [["prod", "--url", "serve.example.org"], "http:// or https://"],
    [["prod", "--dry", "--probe"], "--dry"],
    [[], "missing required argument"],
  ])("%j is wrong usage", async (args, why) => {
    expect(await doctor([...args, "--hospitals", hospitals], outside(google().run))).toBe(2);
    expect(printed()).toContain(why);
  });

  test("prints a line each, with what to do below it", async () => {
    expect(await doctor(["prod", ...STACKS], outside(google({ "functions describe prod-ingest": refused }).run))).toBe(
      1,
    );
    expect(printed()).toMatch(/^ok +project /m);
    expect(printed()).toMatch(
      /^failed +function prod-ingest +It is not there\.\n +-> npm run cdktf -- deploy prod-app$/m,
    );
    expect(printed()).toMatch(/prod: \d+ ok, 1 failed, 3 skipped\.\n$/);
  });
});

describe("--probe, through a real bucket, the real function and the real service", () => {
  const bucket = (name: string) => `${PROJECT}-prod-${name}`;
  let server: GcsServer;
  const started: ChildProcess[] = [];
  let workspace: Workspace;
  let url: string;
  let functionUrl: string;
  const stores: Record<string, ObjectStore> = {};
  let deliver = true;
  let pubsub: Promise<void>;
  const stop = new AbortController();
  const store = (name: string) => stores[name] as ObjectStore;

  /** What Cloud Storage and Pub/Sub do between landing and the function. */
  async function deliveries(): Promise<void> {
    const sent = new Set<number>();
    while (!stop.signal.aborted) {
      for await (const { name, generation } of store("landing").listAll()) {
        if (!deliver || sent.has(generation)) continue;
        const attributes = {
          eventType: "OBJECT_FINALIZE",
          bucketId: bucket("landing"),
          objectId: name,
          objectGeneration: String(generation),
        };
        const { status } = await fetch(functionUrl, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ message: { attributes } }),
        });
        if (status === 204) sent.add(generation);
      }
      await sleep(50);
    }
  }

  async function serve({ directory }: Workspace): Promise<string> {
    const port = await freePort();
    const folder = (name: string) => `file://${join(directory, name)}`;
    const child = spawn(process.execPath, [join(ROOT, "dist/runtime/serve/server.js")], {
      env: {
        ...process.env,
        MODELS_BUCKET: folder("models"),
        CURATED_BUCKET: folder("curated"),
        LANDING_BUCKET: folder("landing"),
        PSEUDONYM_KEY: "local:test",
        REPORTS_BUCKET: folder("reports"),
        WAREHOUSE: folder("warehouse"),
        HOST: "127.0.0.1",
        AUTH: "none",
        PORT: String(port),
        LOG_LEVEL: "fatal",
      },
      stdio: "ignore",
    });
    started.push(child);
    await answering(`http://127.0.0.1:${port}`, child);
    return `http://127.0.0.1:${port}`;
  }

  beforeAll(async () => {
    server = await startGcsServer();
    for (const name of ["landing", "curated", "quarantine", "warehouse"]) {
      await server.createBucket(bucket(name));
      stores[name] = await GcsStore.open(`gs://${bucket(name)}`, server.endpoint);
    }
    const port = await freePort();
    functionUrl = `http://127.0.0.1:${port}`;
    const framework = spawn(
      process.execPath,
      [
        join(ROOT, "node_modules/@google-cloud/functions-framework/build/src/main.js"),
        `--source=${join(ROOT, "dist/runtime/ingest/function.js")}`,
        "--target=ingest",
        "--signature-type=http",
        `--port=${port}`,
      ],
      {
        env: {
          ...process.env,
          ...Object.fromEntries(
            Object.keys(stores).map((name) => [
              name === "warehouse" ? "WAREHOUSE" : `${name.toUpperCase()}_BUCKET`,
              `gs://${bucket(name)}`,
            ]),
          ),
          PSEUDONYM_KEY: "local:test",
          GCS_API_ENDPOINT: server.endpoint,
          LOG_LEVEL: "fatal",
        },
        stdio: "ignore",
      },
    );
    started.push(framework);
    await answering(functionUrl, framework);
    workspace = await openWorkspace(join(scratch, "served"));
    await storeModel(workspace);
    await promote(workspace);
    url = await serve(workspace);
    pubsub = deliveries();
  });
  afterAll(async () => {
    stop.abort();
    await pubsub;
    await Promise.all(started.map((child) => stopProcess(child)));
    await workspace.close();
    await server.stop();
  });

  const real = (): Outside =>
    outside(google().run, {
      open: (uri) => GcsStore.open(uri, server.endpoint),
      openTables: async (uri) => {
        expect(uri).toBe(`bigquery://${PROJECT}/brain_tumor_prod`);
        return new ObjectStoreWarehouse(store("warehouse"));
      },
      network: {
        resolve: async () => [ADDRESS],
        fetch: (input, init) => (String(input).startsWith("https://mri.example.org/") ? signIn() : fetch(input, init)),
      },
    });
  const probing = (...args: string[]) => examine(["--probe", ...args], real());
  const linesOf = ({ findings }: Told) =>
    findings
      .filter(({ check }) => /probe|prediction|ready/.test(check))
      .map(({ check, status }) => `${check}: ${status}`);
  const rows = async () => (await new ObjectStoreWarehouse(store("warehouse")).rows("images")).map(({ row }) => row);
  const current = async () => {
    const warehouse = new ObjectStoreWarehouse(store("warehouse"));
    const found = await warehouse.ask(CURRENT_IMAGES, {});
    await warehouse.close();
    return found.map(({ source }) => source);
  };
  const listed = async (name: string) => {
    const names: string[] = [];
    for await (const object of store(name).listAll()) names.push(object.name);
    return names;
  };

  test("sends a phantom through, takes it back, and gets a prediction", async () => {
    const told = await probing("--url", url);
    expect(linesOf(told)).toEqual(["ready: ok", "probe: ok", "probe taken back: ok", "prediction: ok"]);
    expect(told.code).toBe(0);
    expect((await rows()).map(({ source, label, status }) => [source, label, status]).sort()).toEqual([
      [PROBE_NAME, null, "curated"],
      [PROBE_NAME, null, "quarantined"],
    ]);
    // No step takes it for a scan, and nothing of it lies among scans.
    expect(await current()).toEqual([]);
    expect(await listed("landing")).toEqual([]);
    expect(await listed("curated")).toEqual([]);
  });

  test("may be repeated: the next phantom is another one", async () => {
    expect(linesOf(await probing())).toEqual([
      "ready: skipped",
      "probe: ok",
      "probe taken back: ok",
      "prediction: skipped",
    ]);
    const curated = (await rows()).filter(({ status }) => status === "curated");
    expect(curated).toHaveLength(2);
    expect(new Set(curated.map(({ sha256 }) => sha256)).size).toBe(2);
    expect(await current()).toEqual([]);
  });

  test("leaves scans alone", async () => {
    const { drawScan } = jest.requireActual("../runtime/ingest/scans") as typeof import("../runtime/ingest/scans");
    await store("landing").write("Cancer/a.png", await drawScan(5));
    while (!(await current()).includes("Cancer/a.png")) await sleep(50);
    expect(linesOf(await probing())).toContain("probe: ok");
    expect(await current()).toEqual(["Cancer/a.png"]);
    expect(await listed("landing")).toEqual(["Cancer/a.png"]);
  });

  test("where nothing is delivered says so; what is left becomes no scan when it is", async () => {
    deliver = false;
    const told = await probing("--wait", "1");
    expect(linesOf(told)).toEqual([
      "ready: skipped",
      "probe: failed",
      "probe taken back: failed",
      "prediction: skipped",
    ]);
    expect(told.code).toBe(1);
    expect(told.findings.find(({ check }) => check === "probe")?.todo).toContain("prod-ingest-dead-letter");
    deliver = true;
    while ((await rows()).filter(({ status }) => status === "quarantined").length < 4) await sleep(50);
    expect(await current()).toEqual(["Cancer/a.png"]);
    expect(linesOf(await probing())).toContain("probe taken back: ok");
  });

  test("stopped while it waits, it takes the phantom back and exits with 130", async () => {
    deliver = false;
    const ending = doctor(["prod", ...STACKS, "--probe", "--wait", "60"], real());
    while ((await listed("landing")).length < 2) await sleep(20);
    process.emit("SIGINT");
    expect(await ending).toBe(130);
    expect((await store("landing").read(PROBE_NAME)).toString()).toContain("it is no scan");
    deliver = true;
    while ((await rows()).filter(({ status }) => status === "quarantined").length < 6) await sleep(50);
    expect(await current()).toEqual(["Cancer/a.png"]);
  });

  test("a service without a model is not ready, and answers no prediction", async () => {
    const empty = await openWorkspace(join(scratch, "without-model"));
    const told = await probing("--url", await serve(empty));
    await empty.close();
    expect(linesOf(told)).toEqual(["ready: failed", "probe: ok", "probe taken back: ok", "prediction: failed"]);
  });
});
