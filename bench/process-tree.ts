import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { ConfigurationError } from "../runtime/platform/config";

export interface TreeMeasurement {
  /** From the start of the first process to its end. */
  readonly seconds: number;
  /** Processor time of all processes together. */
  readonly cpuSeconds: number;
  /** By kind: the most that its living processes together had ever held, in MiB (the sum of their VmHWM). */
  readonly peakMiB: Readonly<Record<string, number>>;
  readonly stdout: string;
}

export interface TreeOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The processor cores that the command and everything it starts may use. */
  readonly cores?: readonly number[];
  /** The kind a process counts for, by its command line. */
  readonly kindOf?: (commandLine: readonly string[]) => string;
  /** Seconds after which it is ended, because it hangs. @default it may take any time */
  readonly patience?: number;
}

const INTERVAL_MS = 500;
/** For what a process wrote before its end to be read: a process that it left behind may hold its output open for ever. */
const OUTPUT_MS = 5000;
/** Of /proc/<pid>/stat; the same on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
const STDERR_KEPT = 4000;

/**
 * Resolves once a process has ended and its output was read. To be called in the turn in which it was started.
 *
 * @returns what it ended with; null for a signal
 * @throws if it could not be started
 */
export function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((settle, fail) => {
    child.once("error", fail);
    child.once("close", settle);
    child.once("exit", (code) => {
      setTimeout(() => settle(code), OUTPUT_MS).unref();
    });
  });
}

/**
 * Runs a command to its end and watches it and every process below it through /proc. Processes that live for less than
 * half a second can be missed, and the last half second of the others.
 * @throws with the end of what it said, if it fails or takes too long
 */
export async function measureTree(
  command: string,
  args: readonly string[],
  { env, cores, kindOf = () => "all", patience }: TreeOptions = {},
): Promise<TreeMeasurement> {
  const [file, ...rest] = cores ? ["taskset", "-c", cores.join(","), command, ...args] : [command, ...args];
  const start = performance.now();
  const child = spawn(file as string, rest, { stdio: ["ignore", "pipe", "pipe"], ...(env ? { env } : {}) });
  const ended = endOf(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  const stop = () => child.kill("SIGTERM");
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, stop);
  const tree = new ProcessTree(child.pid ?? -1, kindOf);
  const timer = setInterval(() => tree.look(), INTERVAL_MS);
  let late = false;
  const deadline =
    patience &&
    setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, patience * 1000);
  try {
    const code = await ended;
    const seconds = (performance.now() - start) / 1000;
    if (late) throw new Error(`"${file} ${rest.join(" ")}" did not end within ${patience} s.\n${stderr.trim()}`);
    if (code !== 0) throw new Error(`"${file} ${rest.join(" ")}" ended with ${code ?? "a signal"}:\n${stderr.trim()}`);
    return { seconds, cpuSeconds: tree.cpuSeconds, peakMiB: tree.peakMiB, stdout };
  } finally {
    clearInterval(timer);
    clearTimeout(deadline);
    for (const signal of signals) process.removeListener(signal, stop);
  }
}

/** A process and every process below it, through /proc. */
export class ProcessTree {
  /** Of every process that was ever seen below the first one: one whose parent has ended still belongs. */
  private readonly ticks = new Map<number, number>();
  /** Of processes that have ended, and whose number another one has now. */
  private before = 0;
  /** When the process of a number was started. */
  private readonly starts = new Map<number, string>();
  private readonly kinds = new Map<number, string>();
  readonly peakMiB: Record<string, number> = {};

  constructor(
    private readonly root: number,
    private readonly kindOf: (commandLine: readonly string[]) => string = () => "all",
  ) {}

  /** Of all that was seen up to the last {@link look}. */
  get cpuSeconds(): number {
    return [...this.ticks.values()].reduce((sum, ticks) => sum + ticks, this.before) / TICKS_A_SECOND;
  }

  /** What the living processes hold in MiB; a page that several share counts once (proc(5), `Pss`). */
  get memoryMiB(): number {
    const held = [...this.ticks.keys()].map((pid) => /^Pss:\s*(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? ""));
    return held.reduce((sum, pss) => sum + Number(pss?.[1] ?? 0), 0) / 1024;
  }

  look(): void {
    const parents = new Map<number, number>();
    const ticks = new Map<number, number>();
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      const stat = Number.isInteger(pid) ? read(`/proc/${entry}/stat`) : undefined;
      if (!stat) continue;
      // proc(5): after the name, which may hold anything, come state, parent and so on; 14 and 15 are the times.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      this.notice(pid, String(fields[19]));
      parents.set(pid, Number(fields[1]));
      ticks.set(pid, Number(fields[11]) + Number(fields[12]));
    }
    const now: Record<string, number> = {};
    for (const [pid, spent] of ticks) {
      if (!this.belongs(pid, parents)) continue;
      this.ticks.set(pid, Math.max(spent, this.ticks.get(pid) ?? 0));
      const kind = this.kind(pid);
      const peak = /^VmHWM:\s*(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
      now[kind] = (now[kind] ?? 0) + Number(peak ?? 0) / 1024;
    }
    for (const [kind, peak] of Object.entries(now)) this.peakMiB[kind] = Math.max(peak, this.peakMiB[kind] ?? 0);
  }

  /** The system gives the number of a process that has ended to another one. */
  private notice(pid: number, start: string): void {
    if (this.starts.get(pid) === start) return;
    this.starts.set(pid, start);
    this.before += this.ticks.get(pid) ?? 0;
    this.ticks.delete(pid);
    this.kinds.delete(pid);
  }

  private belongs(pid: number, parents: ReadonlyMap<number, number>): boolean {
    // Processes are read one after the other: where numbers change hands meanwhile, two can name each other as parent.
    const seen = new Set<number>();
    for (let at: number | undefined = pid; at !== undefined && at > 1 && !seen.has(at); at = parents.get(at)) {
      if (at === this.root || this.ticks.has(at)) return true;
      seen.add(at);
    }
    return false;
  }

  /** A process that is just being started has its parent's command line: its kind may still change. */
  private kind(pid: number): string {
    const line = read(`/proc/${pid}/cmdline`)?.split("\0").slice(0, -1) ?? [];
    const kind = line.length > 0 ? this.kindOf(line) : (this.kinds.get(pid) ?? "other");
    this.kinds.set(pid, kind);
    return kind;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * As many processor cores as are asked for, of those this process may use; of two that share one core's units, one.
 * @throws {ConfigurationError} where that is not known or there are too few
 */
export function chooseCores(count: number): number[] {
  const subject = "The benchmark";
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read("/proc/self/status") ?? "")?.[1];
  if (!allowed) throw new ConfigurationError(subject, ["It pins processes to cores with taskset, which needs Linux."]);
  const cores = numbersOf(allowed);
  const firstOfEach = cores.filter((core) => {
    const siblings = numbersOf(read(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`) ?? `${core}`);
    return core === siblings.find((sibling) => cores.includes(sibling));
  });
  // The last ones: the first has most of the machine's interrupts.
  const chosen = [...firstOfEach, ...cores.filter((core) => !firstOfEach.includes(core))].slice(0, count);
  if (chosen.length < count)
    throw new ConfigurationError(subject, [`It needs ${count} processor cores; it may use ${cores.length}.`]);
  return chosen.reverse();
}

/** `0-2,5` as 0, 1, 2, 5. */
function numbersOf(list: string): number[] {
  return list
    .trim()
    .split(",")
    .flatMap((range) => {
      const [from = 0, to = from] = range.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}
