import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { print } from "./command";

export const BUILDERS = ["docker", "buildah", "cloud-build"] as const;
export type BuilderName = (typeof BUILDERS)[number];

/** A base image that was made sure of. */
export interface Base {
  /** What to build with. */
  readonly reference: string;
  /** `sha256:...` of its manifest; undefined where it lies on this machine only, or nobody can tell. */
  readonly digest?: string;
}

/** A program that builds images. Every method throws an error that says what to do. */
export interface Builder {
  /** Fetches a base image, or finds it on this machine, and says which it is. */
  base(reference: string): Base;
  /** @param args build arguments */
  build(tag: string, context: string, args: Readonly<Record<string, string>>): void;
  /** @returns the digest that the registry answers with: `sha256:...` */
  push(tag: string): string;
  /** @returns what identifies an image that was not pushed: `sha256:...` */
  identify(tag: string): string;
  /** Runs a command in the image without a network. @returns what it writes; undefined where images cannot be looked into */
  inside(tag: string, command: readonly string[]): string | undefined;
}

const PLATFORM = ["--platform", "linux/amd64"];
const SHA256 = /^(sha256:[0-9a-f]{64})\s*$/gm;
const buildArguments = (args: Readonly<Record<string, string>>) =>
  Object.entries(args).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
const hostOf = (tag: string) => tag.slice(0, tag.indexOf("/"));
/** Has a digest already, or no registry. */
const isFixed = (reference: string) => reference.includes("@sha256:") || reference.startsWith("localhost/");

export const docker: Builder = {
  base(reference) {
    if (isFixed(reference)) return { reference };
    const output = execute("docker", ["pull", ...PLATFORM, reference], "Its registry must be reachable.");
    const digest = digestIn(output, /^Digest: (sha256:[0-9a-f]{64})\s*$/gm, "docker pull");
    return { reference: `${reference}@${digest}`, digest };
  },
  build(tag, context, args) {
    execute("docker", ["build", ...PLATFORM, ...buildArguments(args), "--tag", tag, context], "");
  },
  push(tag) {
    const output = execute("docker", ["push", tag], `Sign in with: gcloud auth configure-docker ${hostOf(tag)}`);
    return digestIn(output, /\bdigest: (sha256:[0-9a-f]{64})\b/g, "docker push");
  },
  identify(tag) {
    const output = execute("docker", ["image", "inspect", "--format", "{{.Id}}", tag], "");
    return digestIn(output, SHA256, "docker image inspect");
  },
  inside(tag, [program = "", ...args]) {
    return execute("docker", ["run", "--rm", "--network", "none", "--entrypoint", program, tag, ...args], "", false);
  },
};

/** Needs no daemon. What it cannot do by itself here is told to it by its own STORAGE_DRIVER and BUILDAH_ISOLATION. */
export const buildah: Builder = {
  base(reference) {
    if (!isFixed(reference)) execute("buildah", ["pull", ...PLATFORM, reference], "Its registry must be reachable.");
    return { reference, digest: this.identify(reference) };
  },
  build(tag, context, args) {
    const options = ["--format", "docker", "--layers", "--pull-never", ...PLATFORM, ...buildArguments(args)];
    const hint = "In a container or a virtual machine it may need BUILDAH_ISOLATION=chroot and STORAGE_DRIVER=vfs.";
    execute("buildah", ["bud", ...options, "--tag", tag, context], hint);
  },
  push(tag) {
    const scratch = mkdtempSync(join(tmpdir(), "image-digest-"));
    try {
      const file = join(scratch, "digest");
      const login = `gcloud auth print-access-token | buildah login --username oauth2accesstoken --password-stdin ${hostOf(tag)}`;
      execute("buildah", ["push", "--digestfile", file, tag, `docker://${tag}`], `Sign in with: ${login}`);
      return digestIn(readFileSync(file, "utf8"), SHA256, "buildah push");
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  },
  identify(reference) {
    const output = execute(
      "buildah",
      ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", reference],
      "",
      false,
    );
    return digestIn(output, SHA256, "buildah inspect");
  },
  inside(tag, command) {
    const container = execute("buildah", ["from", "--pull-never", tag], "", false).trim();
    try {
      return execute("buildah", ["run", "--network", "none", container, "--", ...command], "", false);
    } finally {
      execute("buildah", ["rm", container], "", false);
    }
  },
};

/** Builds and pushes in one, so that the tag is pushed once it is built. */
export function cloudBuild({ project, region }: { readonly project: string; readonly region: string }): Builder {
  const where = ["--project", project];
  const hint = "Sign in with gcloud auth login, and see that the Cloud Build API is on.";
  return {
    base: (reference) => ({ reference }),
    build(tag, context) {
      const build = ["builds", "submit", context, "--tag", tag, "--region", region, "--timeout", "3600s", "--quiet"];
      execute("gcloud", [...build, "--default-buckets-behavior", "regional-user-owned-bucket", ...where], hint);
    },
    push(tag) {
      const describe = ["artifacts", "docker", "images", "describe", tag, "--format", "value(image_summary.digest)"];
      const output = execute("gcloud", [...describe, ...where], hint);
      return digestIn(output, SHA256, "gcloud artifacts docker images describe");
    },
    identify() {
      throw new Error("Cloud Build keeps no image without a registry.");
    },
    inside: () => undefined,
  };
}

/** The one digest in a program's output; nothing else is taken for it. */
function digestIn(output: string, pattern: RegExp, program: string): string {
  const found = new Set([...output.matchAll(pattern)].map((match) => match[1]));
  const [digest] = found;
  if (digest !== undefined && found.size === 1) return digest;
  throw new Error(
    `${program} did not say the image's digest, so nothing is written down. It said: ${output.trim() || "nothing"}`,
  );
}

/**
 * Runs a program whose errors a person sees as they come.
 * @param aloud whether its output is shown too
 * @returns what it wrote to its standard output
 */
function execute(program: string, args: readonly string[], hint: string, aloud = true): string {
  if (aloud) print(`$ ${program} ${args.join(" ")}`);
  const { error, status, signal, stdout } = spawnSync(program, args, {
    encoding: "utf8",
    env: process.env,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT")
    throw new Error(`${program} is not installed here. Install it, or choose another --builder.`);
  if (error) throw error;
  if (aloud) process.stdout.write(stdout);
  if (status !== 0)
    throw new Error(`${program} ${args[0]} failed (${signal ?? `exit code ${status}`}). ${hint}`.trim());
  return stdout;
}
