import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Argument, Option } from "commander";
import type { LockedImage } from "../constructs/core/container-image";
import { repositoryRoot } from "../constructs/core/repository";
import { bundleFiles, bundleRuntime } from "../constructs/core/runtime-bundle";
import { ConfigurationError } from "../runtime/platform/config";
import { IMAGE_CONTRACTS, IMAGE_LOCK, IMAGES, type ImageLock, type ImageName, readImageLock } from "../stacks/images";
import { chooseLines } from "../stacks/lines";
import { IMAGE_REPOSITORY } from "../stacks/platform-config";
import { EXIT, ifMain, print, runTool, tool } from "./command";

const BUILDERS = ["docker", "cloud-build"] as const;
type Builder = (typeof BUILDERS)[number];

interface Options {
  readonly project?: string;
  readonly region?: string;
  readonly repository: string;
  readonly builder: Builder;
}

/** Where an image goes when the command line does not say. */
export interface RegistryDefaults {
  readonly project: string;
  readonly region: string;
}

/** The command `npm run image`: bundles, builds, pushes, and writes down the digest that the registry answers with. */
export async function image(
  args: readonly string[],
  defaults?: RegistryDefaults,
  folder = repositoryRoot(),
): Promise<number> {
  const program = tool("image", "Builds and pushes a container image and writes its digest into images.lock.json.")
    .addArgument(new Argument("<name>", "which image").choices(IMAGES))
    .option("--project <id>", `project of the registry (default: ${defaults?.project ?? "none"})`)
    .option("--region <region>", `region of the registry (default: ${defaults?.region ?? "none"})`)
    .option("--repository <name>", "repository in the registry", IMAGE_REPOSITORY)
    .addOption(new Option("--builder <builder>", "what builds").choices(BUILDERS).default("docker"))
    .option("--seed <n>", "accepted as everywhere; nothing is drawn at random");
  return runTool(
    program,
    () => {
      const name = program.processedArgs[0] as ImageName;
      const locked = buildAndPush(name, withDefaults(program.opts<Options>(), defaults));
      writeLock(name, locked, folder);
      print(`${name}: ${locked.image}@${locked.digest} is in ${IMAGE_LOCK}; the next deploy takes it.`);
      print(
        `Commit ${IMAGE_LOCK}. Once ${IMAGES.join(" and ")} are deployed, write images: "required" in each hospital's line: a synth without the file then stops in place of taking them away.`,
      );
      return EXIT.done;
    },
    args,
  );
}

type Target = Required<Options>;

function withDefaults(options: Options, defaults: RegistryDefaults | undefined): Target {
  const { project = defaults?.project, region = defaults?.region } = options;
  const problems: string[] = [];
  if (!project || !/^[a-z][a-z0-9.:-]{4,60}$/.test(project))
    problems.push(`--project is ${project ? `"${project}"` : "missing"}; it must be the id of a project.`);
  if (!region || !/^[a-z]+(-[a-z]+\d*)*$/.test(region))
    problems.push(`--region is ${region ? `"${region}"` : "missing"}; it must be a region such as europe-west4.`);
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(options.repository))
    problems.push(`--repository is "${options.repository}"; it must be the name of a repository.`);
  if (problems.length > 0 || !project || !region) throw new ConfigurationError("The command line", problems);
  return { ...options, project, region };
}

function buildAndPush(name: ImageName, target: Target): LockedImage {
  const bundle = bundleRuntime(IMAGE_CONTRACTS[name]);
  const locked = `${target.region}-docker.pkg.dev/${target.project}/${target.repository}/${name}`;
  const tag = `${locked}:bundle-${bundle.sha256.slice(0, 16)}`;
  const context = mkdtempSync(join(tmpdir(), `image-${name}-`));
  try {
    for (const [path, content] of bundleFiles(bundle)) writeFileSync(join(context, path), content);
    for (const file of ["Dockerfile", ".dockerignore"])
      copyFileSync(join(repositoryRoot(), "images", name, file), join(context, file));
    // gcloud has its own list, which would otherwise leave out what .gitignore names.
    writeFileSync(join(context, ".gcloudignore"), "");
    const digest = target.builder === "docker" ? withDocker(tag, context) : withCloudBuild(tag, context, target);
    return { image: locked, digest, bundle: bundle.sha256 };
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

function withDocker(tag: string, context: string): string {
  execute("docker", ["build", "--platform", "linux/amd64", "--pull", "--tag", tag, context], "");
  const host = tag.slice(0, tag.indexOf("/"));
  const output = execute("docker", ["push", tag], `Sign in with: gcloud auth configure-docker ${host}`);
  return digestIn(output, /\bdigest: (sha256:[0-9a-f]{64})\b/g, "docker push");
}

function withCloudBuild(tag: string, context: string, { project, region }: Target): string {
  const where = ["--project", project];
  const hint = "Sign in with gcloud auth login, and see that the Cloud Build API is on.";
  const build = ["builds", "submit", context, "--tag", tag, "--region", region, "--timeout", "3600s", "--quiet"];
  execute("gcloud", [...build, "--default-buckets-behavior", "regional-user-owned-bucket", ...where], hint);
  const describe = ["artifacts", "docker", "images", "describe", tag, "--format", "value(image_summary.digest)"];
  const output = execute("gcloud", [...describe, ...where], hint);
  return digestIn(output, /^(sha256:[0-9a-f]{64})\s*$/gm, "gcloud artifacts docker images describe");
}

/** The one digest in a program's output; nothing else is taken for it. */
function digestIn(output: string, pattern: RegExp, program: string): string {
  const found = new Set([...output.matchAll(pattern)].map((match) => match[1]));
  const [digest] = found;
  if (digest !== undefined && found.size === 1) return digest;
  throw new Error(
    `${program} did not say the image's digest, so ${IMAGE_LOCK} stays as it was. It said: ${output.trim() || "nothing"}`,
  );
}

/** Runs a program whose errors a person sees as they come. @returns what it wrote to its standard output */
function execute(program: string, args: readonly string[], hint: string): string {
  print(`$ ${program} ${args.join(" ")}`);
  const { error, status, signal, stdout } = spawnSync(program, args, {
    encoding: "utf8",
    env: process.env,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT")
    throw new Error(`${program} is not installed here. Install it, or choose another --builder.`);
  if (error) throw error;
  process.stdout.write(stdout);
  if (status !== 0)
    throw new Error(`${program} ${args[0]} failed (${signal ?? `exit code ${status}`}). ${hint}`.trim());
  return stdout;
}

/** Replaces one image; another process reads the file before or after, never half of it. */
function writeLock(name: ImageName, locked: LockedImage, folder: string): void {
  const { images } = readImageLock(folder);
  const all = { ...images, [name]: locked };
  const lock: ImageLock = {
    version: 1,
    images: Object.fromEntries(IMAGES.flatMap((known) => (all[known] ? [[known, all[known]]] : []))),
  };
  const file = join(folder, IMAGE_LOCK);
  writeFileSync(`${file}.partial`, `${JSON.stringify(lock, null, 2)}\n`);
  renameSync(`${file}.partial`, file);
}

ifMain(module, async (args) => image(args, chooseLines({}).platform));
