import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** Keeps the names of streams that are open, so that whoever goes on after a sudden death can close them. */
export interface StreamBook {
  add(stream: string): void;
  remove(stream: string): void;
  /** Streams of processes that are no more. */
  left(): readonly string[];
}

/** For processes that have no place of their own that outlives them. BigQuery forgets an idle stream by itself. */
export const NO_BOOK: StreamBook = { add() {}, remove() {}, left: () => [] };

/** Streams of this process, whatever its number says. */
const openHere = new Set<string>();

/** A file a stream. */
export class StreamFolder implements StreamBook {
  /** @param folder of a disk of this machine, for one warehouse */
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  add(stream: string): void {
    openHere.add(stream);
    writeFileSync(this.file(stream), JSON.stringify({ stream, pid: process.pid, host: hostname() } satisfies Entry));
  }

  remove(stream: string): void {
    rmSync(this.file(stream), { force: true });
    openHere.delete(stream);
  }

  left(): readonly string[] {
    const entries = readdirSync(this.folder)
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => this.read(name));
    return entries
      .filter(({ stream, pid, host }) => !openHere.has(stream) && (host !== hostname() || !isRunning(pid)))
      .map(({ stream }) => stream);
  }

  /** Nothing of a file that a death cut short: its stream was not written to yet. */
  private read(name: string): Entry[] {
    try {
      return [JSON.parse(readFileSync(join(this.folder, name), "utf8")) as Entry];
    } catch {
      rmSync(join(this.folder, name), { force: true });
      return [];
    }
  }

  private file(stream: string): string {
    return join(this.folder, `${stream.slice(stream.lastIndexOf("/") + 1).replace(/[^\w-]/g, "")}.json`);
  }
}

interface Entry {
  readonly stream: string;
  readonly pid: number;
  readonly host: string;
}

function isRunning(pid: number): boolean {
  // What has this process's own number is an earlier one, in a container that numbers from 1.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
