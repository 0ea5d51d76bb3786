import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { serviceAccountId } from "../../constructs/core/naming";
import type { HospitalLine } from "../../stacks/config";

export type Json = Record<string, unknown>;

const PROVIDER = 'provider["registry.terraform.io/hashicorp/google"]';

/** Numbers in [0, 1) that are the same for the same seed: mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A resource of a state, as Terraform writes it. */
export const resource = (type: string, name: string, attributes: Json, provider: unknown = PROVIDER): Json => ({
  mode: "managed",
  type,
  name,
  provider,
  instances: [{ schema_version: 0, attributes, sensitive_attributes: [] }],
});

export const stateText = (resources: readonly Json[], more: Json = {}): string =>
  JSON.stringify({
    version: 4,
    terraform_version: "1.11.4",
    serial: 7,
    lineage: "3f0b7a5e-0000-4000-8000-000000000000",
    outputs: {},
    resources,
    check_results: null,
    ...more,
  });

export function day(today: string, days: number): string {
  return new Date(Date.parse(`${today}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

export const HOSPITALS: readonly HospitalLine[] = [
  { name: "st-anna", tier: "prod", project: "bts-st-anna", projectNumber: "483920174655", region: "europe-west4" },
  { name: "mercy", tier: "prod", project: "clinic-mercy", projectNumber: "483920174656", region: "us-central1" },
  // Of bts-ci and an environment "run-1", names of buckets begin the same.
  { name: "gate", tier: "prod", project: "bts-ci-run-1", projectNumber: "483920174657", region: "europe-west4" },
  // Names of buckets, tables and services are in every environment's names too.
  { name: "landing", tier: "test", project: "bts-landing", projectNumber: "716204983311", region: "europe-west4" },
  { name: "trial", tier: "ephemeral", project: "bts-ci", projectNumber: "918273645501", region: "europe-west4" },
];

/** A place with environments in it, and what a sweep of it should do. */
export class World {
  readonly inventory: unknown[] = [];
  /** Ids of what is to be destroyed. */
  readonly doomed: string[] = [];
  /** What has to be said of something. */
  readonly sentences: string[] = [];

  constructor(
    readonly folder: string,
    readonly project: string,
    readonly today: string,
    readonly draw: () => number,
  ) {}

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.draw() * list.length)] as T;
  }

  labels(id: string, date: unknown, more: Json = {}): Json {
    return {
      hospital: id,
      env: "ephemeral",
      owner: "ci",
      "data-class": "phi",
      "managed-by": "cdktf",
      ...(date === undefined ? {} : { "expires-at": date }),
      ...more,
    };
  }

  bucket(id: string, purpose: string, labels: Json, more: Json = {}): Json {
    const name = `${this.project}-${id}-${purpose}`;
    return resource("google_storage_bucket", purpose.replaceAll("-", "_"), {
      id: name,
      name,
      project: this.project,
      location: "EUROPE-WEST1",
      labels,
      effective_labels: { ...labels, "goog-terraform-provisioned": "true" },
      ...more,
    });
  }

  topic(id: string, labels: Json, more: Json = {}): Json {
    return resource("google_pubsub_topic", "landing", {
      id: `projects/${this.project}/topics/${id}-landing`,
      name: `${id}-landing`,
      project: this.project,
      labels,
      ...more,
    });
  }

  /** What an environment has that carries no labels. */
  unlabelled(id: string): Json[] {
    const account = serviceAccountId({ name: id }, "ingest-push");
    const email = `${account}@${this.project}.iam.gserviceaccount.com`;
    const member = `serviceAccount:${email}`;
    const key = `projects/bts-platform/locations/europe-west4/keyRings/brain-tumor-ephemeral/cryptoKeys/data`;
    return [
      resource("google_service_account", "account", {
        id: `projects/${this.project}/serviceAccounts/${email}`,
        name: `projects/${this.project}/serviceAccounts/${email}`,
        account_id: account,
        project: this.project,
      }),
      resource("google_kms_crypto_key_iam_member", "key", {
        id: `${key}/roles/cloudkms.cryptoKeyEncrypter/${member}`,
        crypto_key_id: key,
        member,
      }),
      resource("google_artifact_registry_repository_iam_member", "pull", {
        id: `projects/bts-platform/locations/europe-west4/repositories/brain-tumor-images/roles/x/${member}`,
        project: "bts-platform",
        repository: "projects/bts-platform/locations/europe-west4/repositories/brain-tumor-images",
        member,
      }),
      resource("google_storage_bucket_object", "bundle", {
        id: `${this.project}-${id}-source-ingest/ab.zip`,
        bucket: `${this.project}-${id}-source`,
        name: "ingest/ab.zip",
      }),
      resource("google_storage_bucket_iam_member", "append", {
        id: `b/${this.project}-${id}-warehouse/roles/storage.objectCreator/${member}/adds below images/, ./`,
        bucket: `b/${this.project}-${id}-warehouse`,
        member,
        role: "roles/storage.objectCreator",
        condition: [
          { title: "adds below images/, ./", expression: `resource.name.startsWith("projects/_/buckets/x")` },
        ],
      }),
      resource("google_monitoring_dashboard", "dashboard", {
        id: `projects/${this.project}/dashboards/0a1b`,
        project: this.project,
        dashboard_json: '{"displayName": "st-anna ../.. projects/bts-st-anna"}',
      }),
      resource("google_compute_network", "vpc", {
        id: `projects/${this.project}/global/networks/${id}-vpc`,
        self_link: `https://www.googleapis.com/compute/v1/projects/${this.project}/global/networks/${id}-vpc`,
        name: `${id}-vpc`,
        project: this.project,
      }),
      resource("google_dns_record_set", "record", {
        id: `projects/${this.project}/managedZones/${id}-gcr-io/rrsets/gcr.io./A`,
        name: "gcr.io.",
        managed_zone: `${id}-gcr-io`,
        project: this.project,
      }),
      resource("google_bigquery_table", "images", {
        id: `projects/${this.project}/datasets/brain_tumor_${id.replaceAll("-", "_")}/tables/landing`,
        dataset_id: `brain_tumor_${id.replaceAll("-", "_")}`,
        table_id: "landing",
        project: this.project,
      }),
    ];
  }

  data(id: string, date: unknown): Json[] {
    return [this.bucket(id, "landing", this.labels(id, date)), this.bucket(id, "access-log", this.labels(id, date))];
  }

  app(id: string, date: unknown): Json[] {
    return [this.topic(id, this.labels(id, date)), ...this.unlabelled(id)];
  }

  write(id: string, stack: string, text: string): string {
    const path = join(this.folder, "ci-env", id, stack, "default.tfstate");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Both states, of which a part may be replaced. */
  states(id: string, date: unknown, extra: readonly Json[] = []): void {
    this.write(id, `${id}-data`, stateText(this.data(id, date)));
    this.write(id, `${id}-app`, stateText([...this.app(id, date), ...extra]));
  }

  inCloud(id: string, date: unknown, more: Json = {}): void {
    this.inventory.push(
      { name: `${this.project}-${id}-landing`, location: "EUROPE-WEST1", labels: this.labels(id, date, more) },
      { name: `${id}-landing`, labels: this.labels(id, date, more) },
    );
  }
}

type Kind = (world: World, id: string) => void;

const over = ({ today, draw }: World) => day(today, -Math.floor(draw() * 900));
const toCome = ({ today, draw }: World) => day(today, 1 + Math.floor(draw() * 90));

/** Each is one environment that has to go. */
export const DOOMED: Readonly<Record<string, Kind>> = {
  whole: (world, id) => {
    const date = over(world);
    world.states(id, date);
    world.inCloud(id, date);
  },
  "expiring today": (world, id) => {
    world.states(id, world.today);
    world.inCloud(id, world.today);
  },
  "with dates of all sorts, all over": (world, id) => {
    world.write(
      id,
      `${id}-data`,
      stateText([...world.data(id, "2024-02-29"), world.bucket(id, "models", world.labels(id, over(world)))]),
    );
    world.write(id, `${id}-app`, stateText(world.app(id, over(world))));
  },
  "gone from the cloud": (world, id) => world.states(id, over(world)),
  "of data alone": (world, id) => void world.write(id, `${id}-data`, stateText(world.data(id, over(world)))),
  "whose app is destroyed": (world, id) => {
    world.write(id, `${id}-data`, stateText(world.data(id, over(world))));
    world.write(id, `${id}-app`, stateText([]));
    world.inCloud(id, over(world));
  },
  "half destroyed, with nothing labelled in its app": (world, id) => {
    world.write(id, `${id}-data`, stateText(world.data(id, over(world))));
    world.write(id, `${id}-app`, stateText(world.unlabelled(id)));
  },
  "beside a lock, a backup and a state of another workspace": (world, id) => {
    const path = world.write(id, `${id}-data`, stateText(world.data(id, over(world))));
    for (const name of ["default.tfstate.backup", ".default.tfstate.lock.info", "other.tfstate"])
      writeFileSync(join(dirname(path), name), stateText([world.bucket("st-anna", "landing", {})]));
  },
  "with data sources and what Terraform has built in": (world, id) =>
    world.states(id, over(world), [
      { ...resource("google_project", "ci", { project_id: "bts-st-anna" }), mode: "data" },
      resource("terraform_data", "note", { id: "x" }, 'provider["terraform.io/builtin/terraform"]'),
    ]),
};

/** Each is something that has to stay, and be named by what the words say. */
export const SPARED: Readonly<Record<string, (world: World, id: string) => string>> = {
  "not over": (world, id) => {
    world.states(id, toCome(world));
    world.inCloud(id, toCome(world));
    return `${id} has time until`;
  },
  "over by the inventory alone": (world, id) => {
    world.states(id, toCome(world));
    world.inCloud(id, over(world));
    return `${id} has time until`;
  },
  "renewed in one stack": (world, id) => {
    world.write(id, `${id}-data`, stateText(world.data(id, over(world))));
    world.write(id, `${id}-app`, stateText(world.app(id, toCome(world))));
    return `${id} has time until`;
  },
  "renewed in the cloud, before its state is written": (world, id) => {
    world.states(id, over(world));
    world.inCloud(id, toCome(world));
    return `${id} expired on`;
  },
  "without a date": (world, id) => {
    world.states(id, undefined);
    return `${id} has resources without a date`;
  },
  "with no day of the calendar": (world, id) => {
    const date = world.pick([
      "2026-02-31",
      "2025-02-29",
      "2026-13-01",
      "2026-2-1",
      "20260101",
      "soon",
      "",
      "2026",
      "2026-01",
      " 2026-01-01",
      "0",
      20260101,
      null,
      {},
    ]);
    world.states(id, over(world), [world.topic(id, world.labels(id, date))]);
    return `${id} has resources without a date`;
  },
  "of unlabelled things alone": (world, id) => {
    world.write(id, `${id}-app`, stateText(world.unlabelled(id)));
    return `${id} has resources without a date`;
  },
  "with nothing in its states but in the cloud": (world, id) => {
    for (const stack of ["data", "app"]) world.write(id, `${id}-${stack}`, stateText([]));
    world.inCloud(id, over(world));
    return `${id} has states in which nothing is left`;
  },
  "without a state": (world, id) => {
    world.inCloud(id, over(world));
    return `labels of an environment "${id}"`;
  },
  "a hospital's labels in the cloud": (world) => {
    const { name } = world.pick(HOSPITALS);
    world.inCloud(name, over(world));
    return `environment "${name}", which is a hospital's name`;
  },
  "a hospital's folder": (world) => {
    const { name } = world.pick(HOSPITALS);
    world.states(name, over(world));
    world.inCloud(name, over(world));
    return `${name} has a folder among the states`;
  },
  "an id that none can have": (world) => {
    const id = world.pick([
      "PR-1",
      "pr 1",
      " pr-1",
      "pr-1 ",
      "prä-1",
      "рr-1",
      "pr--1",
      "pr-1-",
      "-pr",
      "1pr",
      "...",
      "x".repeat(31),
      "ci",
      "platform",
      "bootstrap",
      "ci-env",
      "p",
      "pr_1",
      "pr.1",
      "$(id)",
      "*",
      "pr\u202e1",
    ]);
    world.states(id, over(world));
    world.inventory.push({
      name: "x",
      labels: world.labels(world.pick(["../st-anna", "..", "ci-env/../st-anna", id]), over(world)),
    });
    return `which no environment is called`;
  },
  "in another stack's folder": (world, id) => {
    world.states(id, over(world));
    world.write(
      id,
      world.pick(["st-anna-data", "platform", `${id}`, `${id}-data-2`, `${id}2-app`]),
      stateText(world.data(id, over(world))),
    );
    return "is no state of this environment";
  },
  ...Object.fromEntries(
    ["id", "stack", "file"].map((where): [string, (world: World, id: string) => string] => [
      `behind a link in place of its ${where}`,
      (world, id) => {
        const elsewhere = join(world.folder, "elsewhere", id);
        mkdirSync(join(elsewhere, `${id}-data`), { recursive: true });
        const file = join(elsewhere, `${id}-data`, "default.tfstate");
        writeFileSync(file, stateText(world.data(id, over(world))));
        const here = join(world.folder, "ci-env", id);
        if (where === "id") {
          mkdirSync(dirname(here), { recursive: true });
          symlinkSync(elsewhere, here);
        } else {
          world.write(id, `${id}-app`, stateText(world.app(id, over(world))));
          if (where === "stack") symlinkSync(join(elsewhere, `${id}-data`), join(here, `${id}-data`));
          else {
            mkdirSync(join(here, `${id}-data`));
            symlinkSync(file, join(here, `${id}-data`, "default.tfstate"));
          }
        }
        return "is a link or no plain file";
      },
    ]),
  ),
  "with a folder in place of a state": (world, id) => {
    world.states(id, over(world));
    const path = join(world.folder, "ci-env", id, `${id}-app`, "default.tfstate");
    rmSync(path);
    mkdirSync(path);
    return "is a link or no plain file";
  },
  "with a text that is no state": (world, id) => {
    world.states(id, over(world));
    const honest = stateText(world.data(id, over(world)));
    const text = world.pick([
      "",
      "{",
      "null",
      "[]",
      '"state"',
      `\uFEFF${honest}`,
      honest.slice(0, -5),
      stateText([], { version: 3 }),
      stateText([], { version: "4" }),
      stateText([], { version: undefined }),
      stateText([], { resources: {} }),
      stateText([], { resources: ["x"] }),
      stateText([{ mode: "managed", type: "google_storage_bucket", name: "x" }]),
      stateText([{ ...resource("google_storage_bucket", "x", {}), instances: [{ attributes_flat: {} }] }]),
      JSON.stringify({ serial: 1, lineage: "x", meta: {}, encrypted_data: "abc", encryption_version: "v0" }),
      `${"[".repeat(100_000)}`,
    ]);
    world.write(id, `${id}-app`, text);
    return `${id} is left alone`;
  },
  "whose other state is a hospital's": (world, id) => {
    world.write(id, `${id}-data`, stateText(world.data(id, over(world))));
    const { name, project } = world.pick(HOSPITALS.filter(({ tier }) => tier !== "ephemeral"));
    const theirs = new World(world.folder, project, world.today, world.draw);
    const labels = theirs.labels(name, undefined, { env: "prod" });
    world.write(id, `${id}-app`, stateText([theirs.bucket(name, "landing", labels)]));
    return `has the label hospital="${name}", not ${id}`;
  },
  ...Object.fromEntries(
    Object.entries<[(world: World, id: string) => Json, string]>({
      "labels of another hospital": [
        (world, id) => world.topic(id, world.labels("st-anna", over(world))),
        'hospital="st-anna"',
      ],
      "labels of another case": [
        (world, id) => world.topic(id, world.labels(id.toUpperCase(), over(world))),
        "has the label hospital=",
      ],
      "a label env=prod": [
        (world, id) => world.topic(id, world.labels(id, over(world), { env: "prod" })),
        'env="prod"',
      ],
      "a label of another maker": [
        (world, id) => world.topic(id, world.labels(id, over(world), { "managed-by": "hand" })),
        'managed-by="hand"',
      ],
      "one label of three": [(world, id) => world.topic(id, { hospital: id }), "env=missing"],
      "other labels in the cloud": [
        (world, id) =>
          world.topic(id, world.labels(id, over(world)), {
            effective_labels: world.labels("mercy", over(world), { env: "prod" }),
          }),
        'hospital="mercy"',
      ],
      "an alert of a hospital": [
        (world) =>
          resource("google_monitoring_alert_policy", "a", {
            project: world.project,
            user_labels: world.labels("mercy", undefined),
          }),
        'hospital="mercy"',
      ],
      "another project": [
        (world, id) => world.topic(id, world.labels(id, over(world)), { project: "bts-st-anna" }),
        'project "bts-st-anna"',
      ],
      "another project in its id alone": [
        (world, id) =>
          world.topic(id, world.labels(id, over(world)), { id: `projects/bts-st-anna/topics/${id}-landing` }),
        'project "bts-st-anna"',
      ],
      "another project in its link alone": [
        (world, id) =>
          resource("google_compute_network", "v", {
            name: `${id}-vpc`,
            project: world.project,
            self_link: "https://www.googleapis.com/compute/v1/projects/clinic-mercy/global/networks/v",
          }),
        'project "clinic-mercy"',
      ],
      "a hospital's bucket under honest labels": [
        (world, id) => world.bucket(id, "x", world.labels(id, over(world)), { name: "bts-st-anna-st-anna-landing" }),
        'bucket "bts-st-anna-st-anna-landing"',
      ],
      "an object of a hospital's bucket": [
        () =>
          resource("google_storage_bucket_object", "o", {
            bucket: "bts-st-anna-st-anna-source",
            name: "ingest/ab.zip",
          }),
        'bucket "bts-st-anna-st-anna-source"',
      ],
      "a right on a hospital's bucket": [
        () =>
          resource("google_storage_bucket_iam_member", "m", { bucket: "b/clinic-mercy-mercy-landing", member: "x" }),
        'bucket "clinic-mercy-mercy-landing"',
      ],
      "an object of a bucket whose project goes on where the environment's name does": [
        () =>
          resource("google_storage_bucket_object", "o", { bucket: "bts-ci-run-1-gate-source", name: "ingest/ab.zip" }),
        "bts-ci-run-1-gate-source",
      ],
      "a way out of its project in a name": [
        (world) =>
          resource("google_logging_metric", "m", {
            project: world.project,
            name: "../../bts-st-anna/metrics/st-anna-bucket-access-changed",
          }),
        "leads elsewhere",
      ],
      "a way out of its project in a place": [
        (world) =>
          resource("google_dataproc_autoscaling_policy", "m", {
            project: world.project,
            location: "../../bts-st-anna/regions/europe-west4",
          }),
        "leads elsewhere",
      ],
      "the bucket of states itself": [
        (world, id) => world.bucket(id, "x", world.labels(id, over(world)), { name: `${world.project}-ci-state` }),
        "-ci-state",
      ],
      "a key": [
        (world) =>
          resource("google_kms_crypto_key", "k", {
            id: `projects/${world.project}/locations/l/keyRings/r/cryptoKeys/k`,
          }),
        "is a google_kms_crypto_key",
      ],
      "a key ring": [
        (world) => resource("google_kms_key_ring", "k", { project: world.project }),
        "is a google_kms_key_ring",
      ],
      "a right on a hospital's key": [
        (world, id) =>
          resource("google_kms_crypto_key_iam_member", "k", {
            crypto_key_id: "projects/bts-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data",
            member: `serviceAccount:${id}-x@${world.project}.iam.gserviceaccount.com`,
          }),
        'project "bts-st-anna"',
      ],
      "a hospital's right on the shared key": [
        () =>
          resource("google_kms_crypto_key_iam_member", "k", {
            crypto_key_id:
              "projects/bts-platform/locations/europe-west4/keyRings/brain-tumor-ephemeral/cryptoKeys/data",
            member: "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com",
          }),
        'project "bts-platform"',
      ],
      "a hospital's right on the images": [
        () =>
          resource("google_artifact_registry_repository_iam_member", "k", {
            project: "bts-platform",
            repository: "brain-tumor-images",
            member: "serviceAccount:st-anna-train@bts-st-anna.iam.gserviceaccount.com",
          }),
        'project "bts-platform"',
      ],
      "CI's own right on the project": [
        (world) =>
          resource("google_project_iam_member", "r", {
            project: world.project,
            role: "roles/run.admin",
            member: "serviceAccount:ci-deploy@bts-platform.iam.gserviceaccount.com",
          }),
        "is no identity of an environment",
      ],
      "an API of the project": [
        (world) => resource("google_project_service", "s", { project: world.project }),
        "google_project_service",
      ],
      "the project itself": [() => resource("google_project", "p", { project_id: "bts-ci" }), "is a google_project"],
      "all rights of a project at once": [
        (world) => resource("google_project_iam_policy", "p", { project: world.project }),
        "google_project_iam_policy",
      ],
      "something of the organisation": [
        () => resource("google_organization_policy", "p", { org_id: "1" }),
        "google_organization_policy",
      ],
      "something that names nobody": [
        () => resource("google_essential_contacts_contact", "c", { email: "a@b.c" }),
        "says neither",
      ],
      "a hospital's name in the CI project": [
        (world) => resource("google_service_account", "a", { project: world.project, account_id: "st-anna-ingest" }),
        "like what is of st-anna",
      ],
      "a hospital's dataset in the CI project": [
        (world) =>
          resource("google_bigquery_dataset", "a", { project: world.project, dataset_id: "brain_tumor_st_anna" }),
        "like what is of st-anna",
      ],
      "another cloud": [
        () => resource("aws_s3_bucket", "b", { bucket: "x" }, 'provider["registry.terraform.io/hashicorp/aws"]'),
        "which no environment uses",
      ],
      "a provider of somebody else": [
        (world, id) => ({
          ...world.topic(id, world.labels(id, over(world))),
          provider: 'provider["example.org/evil/google"]',
        }),
        "which no environment uses",
      ],
      "a key that Terraform would take for another": [
        (world, id) => ({
          ...world.topic(id, world.labels(id, over(world))),
          Instances: [{ attributes: { name: "bts-st-anna-st-anna-landing" } }],
        }),
        'the key "Instances"',
      ],
    }).map(([name, [planted, words]]): [string, (world: World, id: string) => string] => [
      `with ${name}`,
      (world, id) => {
        world.states(id, over(world), [planted(world, id)]);
        if (world.draw() < 0.5) world.inCloud(id, over(world));
        return words;
      },
    ]),
  ),
};

/** What lies in a project and is nothing of this one's. */
export const FOREIGN: readonly unknown[] = [
  { name: "no-labels" },
  { name: "null-labels", labels: null },
  { name: "list-of-labels", labels: ["hospital", "env"] },
  null,
  "bucket",
  7,
  { name: "by hand", labels: { hospital: "x", env: "ephemeral", "managed-by": "hand" } },
  { name: "of a number", labels: { hospital: 7, env: "ephemeral", "managed-by": "cdktf" } },
  { name: "of prod", labels: { hospital: "st-anna", env: "prod", "managed-by": "cdktf" } },
  { name: "bts-ci-ci-state", labels: { hospital: "platform", env: "platform", "managed-by": "cdktf" } },
];
