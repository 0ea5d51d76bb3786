import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Gpu } from "../../../constructs/core/region-list";
import { machineType } from "../../../constructs/train/machine";
import { trainContract } from "../../../runtime/train/contract";
import { type Json, PROD, PUSHED, type Resource, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";
import { type MetadataServer, startMetadataServer } from "../../support/metadata-server";

const TEACHER = `gs://${TEST.project}-${TEST.name}-models/backbones/efficientnet-lite0`;
const TAUGHT = {
  ...TEST,
  train: { gpu: "nvidia-tesla-t4", spot: true, teacher: TEACHER, serves: "teacher", epochs: 40 },
} as const;
const { stacks } = synthesize([PROD, TAUGHT]);
const app = stackOf(stacks, "st-anna-app");
const [template] = app.resources("google_compute_instance_template") as [Resource];
const key = "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data";
const SCRIPT = resolve(__dirname, "../../../constructs/train/run-training.sh");

describe("the machine's template", () => {
  test("has a GPU, no external address, a shielded start, an encrypted disk and OS Login", () => {
    expect(template.config).toMatchObject({
      name_prefix: "st-anna-train-",
      machine_type: "g2-standard-8",
      guest_accelerator: [{ type: "nvidia-l4", count: 1 }],
      shielded_instance_config: { enable_secure_boot: true, enable_vtpm: true, enable_integrity_monitoring: true },
      can_ip_forward: false,
      lifecycle: { create_before_destroy: true },
    });
    const [network] = template.config.network_interface as Json[];
    expect(network).not.toHaveProperty("access_config");
    const [disk] = template.config.disk as Json[];
    expect(disk).toMatchObject({
      boot: true,
      auto_delete: true,
      disk_encryption_key: { kms_key_self_link: key },
      // A family would be looked up while planning.
      source_image: expect.stringMatching(/^projects\/cos-cloud\/global\/images\/cos-\d+-\d+-\d+-\d+$/),
    });
    expect(template.config.metadata).toMatchObject({
      "enable-oslogin": "TRUE",
      "block-project-ssh-keys": "TRUE",
      "job-scratch": "/var/tmp/brain-tumor-stack",
      "job-image": `${PUSHED.images.train?.image}@${PUSHED.images.train?.digest}`,
    });
  });

  test("costs no longer than the job's time and half an hour: Google deletes the machine then", () => {
    expect(template.config.scheduling).toEqual({
      automatic_restart: false,
      instance_termination_action: "DELETE",
      max_run_duration: { seconds: trainContract.resources.timeoutSeconds + 1800, nanos: 0 },
      on_host_maintenance: "TERMINATE",
      preemptible: false,
      provisioning_model: "STANDARD",
    });
  });

  test("tells the job of a teacher, that it is to be served itself, and of epochs where the line does, and of none elsewhere", () => {
    const [other] = stackOf(stacks, "sandbox-app").resources("google_compute_instance_template") as [Resource];
    const environmentOf = ({ config }: Resource) => String((config.metadata as Json)["job-environment"]).split("\n");
    expect(environmentOf(other)).toEqual(expect.arrayContaining([`TEACHER=${TEACHER}`, "SERVES=teacher", "EPOCHS=40"]));
    expect(environmentOf(template).join("\n")).not.toMatch(/TEACHER|SERVES|EPOCHS/);
  });

  test("is Spot and has another GPU where the line says so", () => {
    const [other] = stackOf(stacks, "sandbox-app").resources("google_compute_instance_template") as [Resource];
    expect(other.config.scheduling).toMatchObject({
      provisioning_model: "SPOT",
      preemptible: true,
      on_host_maintenance: "TERMINATE",
      instance_termination_action: "DELETE",
    });
    expect(other.config.machine_type).toBe("n1-standard-8");
    expect(other.config.guest_accelerator).toEqual([{ type: "nvidia-tesla-t4", count: 1 }]);
  });

  test("is there only after its identity may do its work: pull from the platform's repository, write logs", () => {
    const [pull] = app
      .resources("google_artifact_registry_repository_iam_member")
      .filter(({ path }) => path === "st-anna-app/train/identity/pull");
    expect(pull?.config).toMatchObject({
      project: "mri-platform",
      location: "europe-west4",
      repository: "brain-tumor-images",
      role: "roles/artifactregistry.reader",
    });
    const [log] = app
      .resources("google_project_iam_member")
      .filter(({ path }) => path === "st-anna-app/train/identity/log");
    expect(template.config.depends_on).toEqual(
      expect.arrayContaining([
        `google_artifact_registry_repository_iam_member.${pull?.logicalId}`,
        `google_project_iam_member.${log?.logicalId}`,
      ]),
    );
  });

  test("carries the script as it is: Terraform takes nothing in it for its own", () => {
    const text = String((template.config.metadata as Json)["startup-script"]);
    expect(text.replaceAll("$${", ref("").slice(0, 2)).replaceAll("%%{", "%{")).toBe(readFileSync(SCRIPT, "utf8"));
    expect(text).not.toMatch(/(?<![$])\$\{/);
    expect(text).not.toMatch(/(?<!%)%\{/);
  });

  test("is the smallest machine that the contract fits on", () => {
    const machine = (cpu: number, memoryGiB: number, gpu: Gpu) =>
      machineType({ name: "x", resources: { cpu, memoryGiB, timeoutSeconds: 1 } }, gpu);
    // A gibibyte is the system's.
    expect(machine(4, 14, "nvidia-tesla-t4")).toBe("n1-standard-4");
    expect(machine(4, 15, "nvidia-tesla-t4")).toBe("n1-standard-8");
    expect(machine(4, 15, "nvidia-l4")).toBe("g2-standard-4");
    expect(machine(4, 16, "nvidia-l4")).toBe("g2-standard-8");
    expect(machine(9, 16, "nvidia-l4")).toBe("g2-standard-12");
    expect(() => machine(4, 120, "nvidia-tesla-t4")).toThrow(/n1-standard-32, with 32 CPUs and 120 GiB/);
    expect(() => machine(13, 16, "nvidia-tesla-a100")).toThrow(/a2-highgpu-1g, with 12 CPUs/);
  });

  test.each<[Gpu, string, string]>([
    ["nvidia-l4", "europe-west6", "g2-standard-8"],
    ["nvidia-tesla-t4", "europe-central2", "n1-standard-8"],
    ["nvidia-tesla-a100", "me-west1", "a2-highgpu-1g"],
    ["nvidia-a100-80gb", "us-east5", "a2-ultragpu-1g"],
    ["nvidia-h100-80gb", "europe-west8", "a3-highgpu-1g"],
  ])(
    "with %s in %s is a %s on a disk that it can start from, and the output names the GPU's zones",
    (gpu, region, type) => {
      const stack = stackOf(synthesize([{ ...TEST, region, train: { gpu } }]).stacks, "sandbox-app");
      const [one] = stack.resources("google_compute_instance_template") as [Resource];
      expect(one.config).toMatchObject({
        machine_type: type,
        guest_accelerator: [{ type: gpu, count: 1 }],
        scheduling: { on_host_maintenance: "TERMINATE", max_run_duration: { nanos: 0 } },
        disk: [{ disk_type: "pd-balanced", boot: true }],
      });
      const zones = (stack.json.output as Record<string, { value: string[] }>).train_zones?.value ?? [];
      expect(zones.length).toBeGreaterThan(0);
      for (const zone of zones) expect(zone).toMatch(new RegExp(`^${region}-[a-f]$`));
    },
  );

  test("has a T4 where the region has no L4, and is left out, with a warning, where it has neither", () => {
    const { stacks: found, manifest } = synthesize([
      { ...TEST, region: "europe-central2" },
      { ...PROD, region: "europe-west8" },
    ]);
    const [t4] = stackOf(found, "sandbox-app").resources("google_compute_instance_template") as [Resource];
    expect(t4.config.guest_accelerator).toEqual([{ type: "nvidia-tesla-t4", count: 1 }]);
    const none = stackOf(found, "st-anna-app");
    expect(none.resources("google_compute_instance_template")).toEqual([]);
    expect(none.json.output).not.toHaveProperty("train_zones");
    expect(JSON.stringify(manifest)).toMatch(
      /europe-west8 has neither nvidia-l4 nor nvidia-tesla-t4 .* It has nvidia-h100-80gb.* nearest region with nvidia-l4 is europe-west3/,
    );
  });
});

describe("run-training.sh", () => {
  let folder: string;
  let server: MetadataServer;
  const environment = "MODELS_BUCKET=gs://models\nSEED=7";

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "training-"));
    server = await startMetadataServer({
      "attributes/job-image": "europe-west4-docker.pkg.dev/p/r/train@sha256:1",
      "attributes/job-environment": environment,
      "attributes/job-scratch": "/var/tmp/scratch",
    });
    mkdirSync(join(folder, "dev"));
    for (const device of ["nvidia0", "nvidiactl"]) writeFileSync(join(folder, "dev", device), "");
    install("nvidia/bin/nvidia-smi", smi("580.95.05"));
    for (const name of ["cos-extensions", "mount", "chown", "docker-credential-gcr", "docker", "systemctl"])
      install(`bin/${name}`, "");
  });

  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const smi = (driver: string) =>
    `[[ "$*" == *driver_version* ]] && echo "${driver}" || echo "GPU 0: NVIDIA L4 (UUID: GPU-1)"`;

  /** A program that notes how it is called and does what a line says. */
  function install(path: string, line: string): void {
    const file = join(folder, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `#!/bin/bash\necho "$(basename "$0") $*" >> "${folder}/calls"\n${line}\n`);
    chmodSync(file, 0o755);
  }

  const calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");

  function boot(): Promise<number | null> {
    const child = spawn("bash", [SCRIPT], {
      env: {
        PATH: `${join(folder, "bin")}:${process.env.PATH}`,
        GCE_METADATA_HOST: server.host,
        BRAIN_TUMOR_STATE: join(folder, "state"),
        NVIDIA_ROOT: join(folder, "nvidia"),
        DEVICES: join(folder, "dev"),
      },
      stdio: "ignore",
    });
    return new Promise((done) => child.once("close", done));
  }

  test("installs the driver, runs the image under the contract's environment, tells how it went and powers off", async () => {
    expect(await boot()).toBe(0);
    const run = calls().find((call) => call.startsWith("docker run"));
    expect(calls().map((call) => call.split(" ").slice(0, 2).join(" "))).toEqual(
      expect.arrayContaining(["cos-extensions install", "nvidia-smi --list-gpus", "docker pull", "docker run"]),
    );
    expect(calls().at(-1)).toBe("systemctl poweroff");
    for (const part of [
      `--device ${folder}/dev/nvidia0`,
      `--volume ${folder}/state/scratch:/var/tmp/scratch`,
      `--env-file ${folder}/state/environment`,
      "--user 1000:1000",
      "--read-only",
      "--cap-drop ALL",
    ])
      expect(run).toContain(part);
    expect(run).toMatch(/ europe-west4-docker\.pkg\.dev\/p\/r\/train@sha256:1$/);
    expect(calls()).toContain("docker-credential-gcr configure-docker --registries=europe-west4-docker.pkg.dev");
    expect(readFileSync(join(folder, "state/environment"), "utf8")).toBe(environment);
    expect(server.written.get("guest-attributes/brain-tumor-stack/exit-code")).toBe("0");
  });

  test.each([
    ["no driver", "bin/cos-extensions", "exit 1"],
    ["no GPU", "nvidia/bin/nvidia-smi", "echo 'No devices were found'; exit 6"],
    ["a driver that lists none", "nvidia/bin/nvidia-smi", ""],
    ["a driver older than TensorFlow's CUDA", "nvidia/bin/nvidia-smi", smi("550.144.03")],
    ["a driver that tells no version", "nvidia/bin/nvidia-smi", smi("N/A")],
  ])("with %s does not train: 3, and the machine is off", async (_what, path, line) => {
    install(path, line);
    expect(await boot()).toBe(3);
    expect(calls().filter((call) => call.startsWith("docker run"))).toEqual([]);
    expect(calls().at(-1)).toBe("systemctl poweroff");
    expect(server.written.get("guest-attributes/brain-tumor-stack/exit-code")).toBe("3");
  });

  test("tells the job's own exit code", async () => {
    install("bin/docker", '[[ "$1" == run ]] && exit 2; exit 0');
    expect(await boot()).toBe(2);
    expect(server.written.get("guest-attributes/brain-tumor-stack/exit-code")).toBe("2");
    expect(existsSync(join(folder, "state/scratch"))).toBe(true);
  });
});
