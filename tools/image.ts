import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Argument, InvalidArgumentError, Option } from "commander";
import type { LockedImage } from "../constructs/core/container-image";
import { repositoryRoot } from "../constructs/core/repository";
import { bundleRuntime } from "../constructs/core/runtime-bundle";
import { ConfigurationError } from "../runtime/platform/config";
import {
  ATTESTATIONS,
  IMAGE_CONTRACTS,
  IMAGE_LOCK,
  IMAGES,
  type ImageLock,
  type ImageName,
  readImageLock,
} from "../stacks/images";
import { chooseLines } from "../stacks/lines";
import { IMAGE_REPOSITORY } from "../stacks/platform-config";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { BUILDERS, type Builder, type BuilderName, buildah, cloudBuild, docker } from "./image-builders";
import { dockerfileArguments, layOutContext } from "./image-context";
import { type BuiltImage, createProvenance, createSbom, sha256 } from "./image-evidence";

interface Options {
  readonly project?: string;
  readonly region?: string;
  readonly repository: string;
  readonly builder: BuilderName;
  readonly buildArg: Readonly<Record<string, string>>;
  readonly push: boolean;
  readonly out?: string;
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
    .addOption(
      new Option("--build-arg <name=value>", "an argument of the Dockerfile in place of its default; may be repeated")
        .argParser(buildArgument)
        .default({}, "none"),
    )
    .option("--no-push", `builds under a local name, and leaves ${IMAGE_LOCK} as it is`)
    .option("--out <folder>", "with --no-push: where SBOM and provenance go (default: .parts/images)")
    .option("--seed <n>", "accepted as everywhere; nothing is drawn at random");
  return runTool(
    program,
    () => {
      const name = program.processedArgs[0] as ImageName;
      const options = program.opts<Options>();
      const { repository, builder } = withDefaults(options, defaults);
      const evidence = options.push ? join(folder, ATTESTATIONS) : (options.out ?? join(folder, ".parts", "images"));
      const { image, digest, tag, ...locked } = build(name, repository, builder, options, evidence);
      if (options.push) writeLock(name, { image, digest, ...locked }, folder);
      print(
        options.push
          ? `${name}: ${image}@${digest} is in ${IMAGE_LOCK}, what it is made of in ${ATTESTATIONS}; the next deploy takes it.`
          : `${name}: ${tag} (${digest}) was built and not pushed; what it is made of is in ${evidence}.`,
      );
      if (options.push)
        print(
          `Commit ${IMAGE_LOCK} and ${ATTESTATIONS}. Once ${IMAGES.join(" and ")} are deployed, write images: "required" in each hospital's line: a synth without the file then stops in place of taking them away.`,
        );
      return EXIT.done;
    },
    args,
  );
}

function buildArgument(given: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, key = "", value = ""] = /^(\w+)=(\S+)$/.exec(given) ?? [];
  if (!key) throw new InvalidArgumentError("It must be NAME=VALUE.");
  return { ...before, [key]: value };
}

/** What an image that stays here is called, in place of a registry. */
const LOCAL = "localhost/brain-tumor-images";

function withDefaults(
  options: Options,
  defaults: RegistryDefaults | undefined,
): { readonly repository: string; readonly builder: Builder } {
  const { project = defaults?.project, region = defaults?.region } = options;
  const inCloud = options.builder === "cloud-build";
  const problems: string[] = [];
  if (options.push) {
    if (!project || !/^[a-z][a-z0-9.:-]{4,60}$/.test(project))
      problems.push(`--project is ${project ? `"${project}"` : "missing"}; it must be the id of a project.`);
    if (!region || !/^[a-z]+(-[a-z]+\d*)*$/.test(region))
      problems.push(`--region is ${region ? `"${region}"` : "missing"}; it must be a region such as europe-west4.`);
    if (!/^[a-z][a-z0-9-]{0,62}$/.test(options.repository))
      problems.push(`--repository is "${options.repository}"; it must be the name of a repository.`);
    if (options.out !== undefined)
      problems.push(`--out goes with --no-push; what is pushed has its SBOM and provenance in ${ATTESTATIONS}/.`);
  } else if (inCloud)
    problems.push("--no-push is for docker and buildah; Cloud Build keeps images in a registry only.");
  if (inCloud && Object.keys(options.buildArg).length > 0)
    problems.push("--build-arg is for docker and buildah; Cloud Build takes the Dockerfile as it is.");
  if (problems.length > 0) throw new ConfigurationError("The command line", problems);
  const registry = { project: project ?? "", region: region ?? "" };
  return {
    repository: options.push ? `${region}-docker.pkg.dev/${project}/${options.repository}` : LOCAL,
    builder: inCloud ? cloudBuild(registry) : { docker, buildah }[options.builder as "docker" | "buildah"],
  };
}

/**
 * Builds an image, pushes it if that is wanted, and writes down what it is made of.
 * @param evidence the folder for SBOM and provenance
 */
function build(
  name: ImageName,
  repository: string,
  builder: Builder,
  options: Options,
  evidence: string,
): LockedImage & { readonly tag: string } {
  const bundle = bundleRuntime(IMAGE_CONTRACTS[name]);
  const locked = `${repository}/${name}`;
  const tag = `${locked}:bundle-${bundle.sha256.slice(0, 16)}`;
  const context = mkdtempSync(join(tmpdir(), `image-${name}-`));
  try {
    layOutContext(name, bundle, context);
    const begun = new Date();
    const defaults = dockerfileArguments(context);
    const unknown = Object.keys(options.buildArg).filter((key) => !defaults.has(key));
    if (unknown.length > 0) {
      const known = [...defaults.keys()].join(", ");
      throw new ConfigurationError("--build-arg", [
        `images/${name}/Dockerfile has no argument ${unknown.join(", ")}; it has ${known}.`,
      ]);
    }
    const given = { ...Object.fromEntries(defaults), ...options.buildArg };
    const bases = Object.fromEntries(
      Object.entries(given).flatMap(([key, value]) => (key.endsWith("_IMAGE") ? [[key, builder.base(value)]] : [])),
    );
    const references = Object.fromEntries(Object.entries(bases).map(([key, { reference }]) => [key, reference]));
    const args = { ...options.buildArg, ...references };
    builder.build(tag, context, args);
    const digest = options.push ? builder.push(tag) : builder.identify(tag);
    const built: BuiltImage = {
      ...{ image: locked, digest, tag, context, bundle: bundle.sha256, args, bases },
      ...{ builder: options.builder, begun, ended: new Date() },
    };
    const write = (file: string, content: unknown): string => {
      const text = `${JSON.stringify(content, null, 2)}\n`;
      mkdirSync(evidence, { recursive: true });
      writeFileSync(join(evidence, file), text);
      return `sha256:${sha256(text)}`;
    };
    return {
      ...{ image: locked, digest, tag, bundle: bundle.sha256 },
      sbom: write(`${name}.cdx.json`, createSbom(built, builder)),
      provenance: write(`${name}.provenance.json`, createProvenance(built)),
    };
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
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
