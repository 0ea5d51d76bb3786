import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What an image says of the process that it starts. */
interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
}

/** A process in a container, with everything that it wrote. */
export interface Running {
  readonly said: () => string;
  /** The exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

/** Storage of images and containers below one folder, gone with it. */
export class Containers {
  /** For buildah, and for what starts it. */
  readonly env: NodeJS.ProcessEnv;
  private readonly running: Running[] = [];
  private started = 0;

  constructor(private readonly folder: string) {
    clear(folder);
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "storage.conf");
    this.env = { ...process.env, CONTAINERS_STORAGE_CONF: config, BUILDAH_ISOLATION: "chroot" };
    delete this.env.STORAGE_DRIVER;
    // Where a file system cannot be laid over another, layers are copied.
    for (const driver of ["overlay", "vfs"]) {
      const [root, run] = ["root", "run"].map((name) => JSON.stringify(join(folder, `${name}-${driver}`)));
      writeFileSync(config, `[storage]\ndriver = "${driver}"\ngraphroot = ${root}\nrunroot = ${run}\n`);
      if (spawnSync("buildah", ["images"], { env: this.env, stdio: "ignore" }).status === 0) return;
    }
    throw new Error("buildah can keep no images here, neither with overlay nor with vfs.");
  }

  buildah(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync("buildah", args, {
      encoding: "utf8",
      env: this.env,
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`buildah ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** An image from archives laid over another image, or over nothing. */
  base(name: string, from: string, archives: readonly string[], config: readonly string[] = []): void {
    const container = this.buildah("from", "--pull-never", from);
    for (const archive of archives) this.buildah("add", "--quiet", container, archive, "/");
    if (config.length > 0) this.buildah("config", ...config, container);
    this.buildah("commit", "--quiet", "--rm", container, name);
  }

  /** @returns the folder that an image's files are seen in */
  mount(image: string): string {
    return this.buildah("mount", this.buildah("from", "--pull-never", image));
  }

  config(image: string): ImageConfig {
    return (JSON.parse(this.buildah("inspect", "--type", "image", image)) as { OCIv1: { config: ImageConfig } }).OCIv1
      .config;
  }

  /**
   * Starts what an image starts, as its user, without rights, on a root that nobody can write, with a temporary folder at
   * /tmp, in the network of this machine.
   *
   * @param mounts folder in the container -> folder here, which the container may write
   */
  start(
    image: string,
    root: string,
    env: Readonly<Record<string, string>>,
    mounts: Readonly<Record<string, string>> = {},
    command?: readonly string[],
  ): Running {
    const config = this.config(image);
    const [uid, gid] = config.User.split(":").map(Number);
    if (!uid || !gid) throw new Error(`The image's user is "${config.User}"; it must be two numbers.`);
    const id = `image-test-${process.pid}-${this.started++}`;
    const bundle = join(this.folder, id);
    mkdirSync(bundle);
    const tmpfs = (destination: string, ...options: readonly string[]) => ({
      destination,
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", ...options],
    });
    // https://github.com/opencontainers/runtime-spec/blob/main/config.md
    const specification = {
      ociVersion: "1.0.2",
      process: {
        user: { uid, gid },
        args: command ?? config.Cmd,
        env: [...config.Env, ...Object.entries(env).map(([key, value]) => `${key}=${value}`)],
        cwd: config.WorkingDir,
        capabilities: {},
        noNewPrivileges: true,
      },
      root: { path: root, readonly: true },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        tmpfs("/dev", "mode=755"),
        tmpfs("/tmp", "nodev", "mode=1777"),
        ...Object.entries(mounts).map(([destination, source]) => ({
          destination,
          type: "bind",
          source,
          options: ["bind", "rw"],
        })),
      ],
      linux: { namespaces: ["pid", "mount", "ipc", "uts"].map((type) => ({ type })) },
    };
    writeFileSync(join(bundle, "config.json"), JSON.stringify(specification));
    // crun refuses a machine that has both versions of cgroups; it is asked for no limits, so that it need not see the second.
    const script = 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec crun "$@"';
    const crun = ["--root", join(this.folder, "crun"), "--cgroup-manager=disabled"];
    const run = [...crun, "run", "--bundle", bundle, id];
    const child = spawn("unshare", ["--mount", "sh", "-c", script, "crun", ...run], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const running: Running = {
      ...listen(child),
      async stop() {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((done) => child.once("close", done));
        spawnSync("crun", [...crun, "kill", id, "KILL"]);
        await ended;
      },
    };
    this.running.push(running);
    return running;
  }

  /** Stops what still runs, and takes everything away. */
  async remove(): Promise<void> {
    for (const running of this.running) await running.stop();
    clear(this.folder);
  }
}

/** Removes a folder with what is mounted in it, also by a run that was killed. */
function clear(folder: string): void {
  const mounted = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? [])
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounted.reverse()) spawnSync("umount", ["--lazy", path]);
  rmSync(folder, { recursive: true, force: true });
}

function listen(child: ChildProcess): Pick<Running, "said" | "ended"> {
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      text += chunk;
    });
  return { said: () => text, ended: new Promise((done) => child.once("close", done)) };
}
