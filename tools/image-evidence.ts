import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import type { Base, Builder, BuilderName } from "./image-builders";
import { contextFiles, dockerfileArguments, pinnedWheels } from "./image-context";

/** What was built, and from what. */
export interface BuiltImage {
  /** Without tag and digest. */
  readonly image: string;
  /** `sha256:...` */
  readonly digest: string;
  readonly tag: string;
  /** Folder that it was built from. */
  readonly context: string;
  /** SHA-256 of the bundle in it, in hex. */
  readonly bundle: string;
  readonly builder: BuilderName;
  readonly args: Readonly<Record<string, string>>;
  /** By the name of the Dockerfile's argument. */
  readonly bases: Readonly<Record<string, Base>>;
  readonly begun: Date;
  readonly ended: Date;
}

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly [key: string]: unknown;
}

/** CycloneDX 1.5, as `npm sbom` writes it. https://cyclonedx.org/docs/1.5/json/ */
export interface Sbom {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
  readonly metadata: { readonly component: { readonly "bom-ref": string; readonly [key: string]: unknown } };
  readonly [key: string]: unknown;
}

/**
 * What is in an image: npm packages by the bundle's lock file, wheels by their requirements, Node, and, where the builder
 * can look into the image, the packages of Debian; else the base by its name, and the list says that it is incomplete.
 *
 * @throws if npm fails
 */
export function createSbom(built: BuiltImage, builder: Pick<Builder, "inside">): Sbom {
  const npm = npmSbom(built.context);
  const node = builder.inside(built.tag, ["node", "--print", "process.versions.node"])?.trim();
  const packages = builder.inside(built.tag, ["dpkg-query", "--show", "--showformat", DPKG_FORMAT]);
  const defaults = dockerfileArguments(built.context);
  const base = built.bases.DEBIAN_IMAGE;
  const others: Component[] = [
    generic("node", node ?? /:([\d.]+)/.exec(defaults.get("NODE_IMAGE") ?? "")?.[1] ?? "unknown"),
    ...wheels(built).map(({ name, version, sha256: hash }) => ({
      ...library("pypi", name, version),
      ...(hash ? { hashes: [{ alg: "SHA-256", content: hash }] } : {}),
    })),
    ...(packages === undefined ? [] : debianPackages(packages)),
    ...(base ? [baseImage(base)] : []),
  ];
  const root = npm.metadata.component["bom-ref"];
  return {
    ...npm,
    metadata: {
      ...npm.metadata,
      component: { ...npm.metadata.component, type: "container", version: built.digest, name: built.image },
    },
    components: [...npm.components, ...others],
    compositions: [{ aggregate: packages === undefined ? "incomplete" : "complete", assemblies: [root] }],
  };
}

const DPKG_FORMAT = ["Package", "Version", "Architecture"]
  .map((field) => `\${${field}}`)
  .join("\\t")
  .concat("\\n");

function debianPackages(listed: string): Component[] {
  return listed
    .trim()
    .split("\n")
    .map((line) => {
      const [name = "", version = "", architecture = ""] = line.split("\t");
      const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
      return { "bom-ref": purl, type: "library", name, version, purl };
    });
}

/** The Python packages that an image has libraries of. */
function wheels({ context, args }: BuiltImage) {
  const cuda = args.CUDA ?? dockerfileArguments(context).get("CUDA");
  return pinnedWheels(context).filter(({ file }) => cuda === "wheels" || file !== "requirements-cuda.txt");
}

function library(type: string, name: string, version: string): Component {
  const purl = `pkg:${type}/${name}@${version}`;
  return { "bom-ref": purl, type: "library", name, version, purl };
}

const baseImage = ({ reference, digest = "unknown" }: Base): Component => ({
  "bom-ref": `${reference}@${digest}`,
  type: "container",
  name: reference,
  version: digest,
});

const generic = (name: string, version: string): Component => ({
  ...library("generic", name, version),
  type: "application",
});

/** `npm sbom` over a bundle's lock file, without what npm leaves out on Linux x64 with glibc. */
function npmSbom(context: string): Sbom {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: context, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`npm sbom failed: ${stderr?.trim() || `exit code ${status}`}`);
  const all = JSON.parse(stdout) as Sbom;
  const foreign = foreignPackages(readFileSync(join(context, "package-lock.json"), "utf8"));
  const depends = new Map(all.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const queue = [all.metadata.component["bom-ref"]];
  for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
    if (reached.has(ref) || foreign.has(ref)) continue;
    reached.add(ref);
    queue.push(...(depends.get(ref) ?? []));
  }
  return {
    ...all,
    components: all.components.filter((component) => reached.has(component["bom-ref"])),
    dependencies: [...depends]
      .filter(([ref]) => reached.has(ref))
      .map(([ref, on]) => ({ ref, dependsOn: on.filter((other) => reached.has(other)) })),
  };
}

interface LockedPlatform {
  readonly version?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/** Packages for another system, processor or C library: `name@version`. */
function foreignPackages(lock: string): ReadonlySet<string> {
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, LockedPlatform>> };
  const fits = (allowed: readonly string[] | undefined, ours: string) => !allowed || allowed.includes(ours);
  return new Set(
    Object.entries(packages)
      .filter(([, { os, cpu, libc }]) => !(fits(os, "linux") && fits(cpu, "x64") && fits(libc, "glibc")))
      .map(
        ([path, { version }]) => `${path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)}@${version}`,
      ),
  );
}

/** How an image came about: an in-toto statement with a SLSA provenance. https://slsa.dev/spec/v1.0/provenance */
export function createProvenance(built: BuiltImage): Readonly<Record<string, unknown>> {
  const commit = git("rev-parse", "HEAD");
  const context = contextFiles(built.context);
  const files = [...context].filter(([path]) => path === "Dockerfile" || path.startsWith("build/"));
  const lock = context.get("package-lock.json");
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: built.image, digest: { sha256: built.digest.replace("sha256:", "") } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://github.com/moby/buildkit/blob/master/docs/reference/dockerfile",
        externalParameters: {
          builder: built.builder,
          buildArguments: built.args,
          ...(commit ? { uncommittedChanges: git("status", "--porcelain") !== "" } : {}),
        },
        resolvedDependencies: [
          ...(commit ? [{ name: "source", digest: { gitCommit: commit } }] : []),
          { name: "bundle", digest: { sha256: built.bundle } },
          ...(lock ? [{ name: "package-lock.json", digest: { sha256: sha256(lock) } }] : []),
          ...files.map(([path, content]) => ({ name: path, digest: { sha256: sha256(content) } })),
          ...Object.entries(built.bases).map(([name, { reference, digest }]) => ({
            name,
            uri: reference,
            ...(digest ? { digest: { sha256: digest.replace("sha256:", "") } } : {}),
          })),
        ],
      },
      runDetails: {
        builder: { id: `${IMAGE_COMMAND}/${built.builder}` },
        metadata: { startedOn: built.begun.toISOString(), finishedOn: built.ended.toISOString() },
      },
    },
  };
}

/** Names who says so; it is not signed. */
const IMAGE_COMMAND = "urn:brain-tumor-stack:npm-run-image";

/** What git answers about the repository; undefined where there is neither. */
function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: repositoryRoot(), encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
