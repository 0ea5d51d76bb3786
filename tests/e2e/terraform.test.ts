import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Json, withScratch } from "../../tools/synthesized";
import { findTerraform, providerProblem } from "../../tools/terraform";
import { tierStacks } from "../../tools/tiers";
import { verifyTerraform } from "../../tools/verify-terraform";
import { type Echo, startEcho } from "../echo";
import { captureOutput } from "../support/captured-output";

const printed = captureOutput();

/** Some of the stacks of every tier, in a folder as a synth writes it. */
function choose(all: string, names: readonly string[], folder: string): string {
  for (const name of names) {
    const from = existsSync(join(all, "stacks", name)) ? all : `${all}-ci`;
    cpSync(join(from, "stacks", name), join(folder, "stacks", name), { recursive: true });
    cpSync(join(from, "manifest.json"), join(folder, "manifest.json"));
  }
  return folder;
}

/** A folder with stacks that are written by hand. */
function plant(folder: string, stacks: Readonly<Record<string, Json>>): string {
  for (const [name, resource] of Object.entries(stacks)) {
    mkdirSync(join(folder, "stacks", name), { recursive: true });
    const required_providers = { google: { source: "hashicorp/google", version: "~> 6.50" } };
    const json = { terraform: { required_providers }, provider: { google: [{ project: "planted" }] }, resource };
    writeFileSync(join(folder, "stacks", name, "cdk.tf.json"), JSON.stringify(json));
  }
  return folder;
}

const bucket = (more: Json = {}): Json => ({
  name: "planted-bucket",
  project: "planted",
  location: "europe-west4",
  uniform_bucket_level_access: true,
  ...more,
});

/** Why none of this can be tried here; a line says so. */
const missing = async () => {
  const command = findTerraform();
  if (command === undefined) return "Neither terraform nor tofu is on PATH";
  return withScratch((scratch) => providerProblem(command, scratch));
};

describe("with the real provider, against the echo", () => {
  let why: string | undefined;
  beforeAll(async () => {
    why = await missing();
    if (why !== undefined) process.stderr.write(`No stack was applied to the echo: ${why}.\n`);
  });

  test("a stack of each kind is applied, has nothing to do in a second plan, and goes", async () => {
    if (why !== undefined) return;
    await withScratch(async (scratch) => {
      const all = join(scratch, "all");
      tierStacks(all);
      // Each by itself, given what it finds made by others, so that they need not wait for each other.
      const groups = [
        ["bootstrap", "platform"],
        ["prod-data", "prod-app"],
        ["ephemeral-data", "ephemeral-app"],
      ];
      const codes = await Promise.all(
        groups.map((names) => verifyTerraform(["--dir", choose(all, names, join(scratch, names.join("-")))])),
      );
      expect({ codes, failed: printed().match(/^.*\bfailed\b.*$|^\S+: \w+: .*$/gm) }).toEqual({
        codes: [0, 0, 0],
        failed: null,
      });
      expect(printed().match(/Every second plan has nothing to do\./g)).toHaveLength(3);
    });
  }, 900_000);

  test("fails on a block that reads back as nothing, and says what it would replace", async () => {
    if (why !== undefined) return;
    const code = await withScratch((scratch) => {
      const planted = {
        name: "planted",
        project: "planted",
        location: "europe-west4",
        placement: {
          managed_cluster: {
            cluster_name: "planted",
            config: {
              software_config: { image_version: "2.2-debian12" },
              endpoint_config: { enable_http_port_access: false },
            },
          },
        },
        jobs: [{ step_id: "one", pyspark_job: { main_python_file_uri: "gs://b/main.py" } }],
      };
      return verifyTerraform([
        "--dir",
        plant(scratch, { "planted-app": { google_dataproc_workflow_template: { it: planted } } }),
      ]);
    });
    expect(printed()).toMatch(
      /planted-app: again: google_dataproc_workflow_template\.it: delete and create because of .*endpoint_config/,
    );
    expect(code).toBe(1);
  }, 300_000);

  test("fails on what a destroy leaves behind", async () => {
    if (why !== undefined) return;
    const resource = {
      google_storage_bucket: { it: bucket({ force_destroy: true }) },
      google_storage_bucket_object: {
        it: { bucket: "planted-bucket", name: "a", content: "a", depends_on: ["google_storage_bucket.it"] },
      },
      google_service_account: { it: { account_id: "planted", project: "planted" } },
    };
    /** Google, but for accounts that it keeps. */
    const forgetful = async (given: readonly string[]): Promise<Echo> => {
      const echo = await startEcho(given);
      const kept = { name: "iam/projects/planted/serviceAccounts/kept", by: "planted-data" };
      return { ...echo, contents: () => [...echo.contents(), kept] };
    };
    const code = await withScratch((scratch) =>
      verifyTerraform(["--dir", plant(scratch, { "planted-data": resource })], forgetful),
    );
    expect(printed()).toContain("planted-data: left: iam/projects/planted/serviceAccounts/kept is left behind.");
    expect(code).toBe(1);
  }, 300_000);
});
