import { createHash } from "node:crypto";
import type { Json } from "./json";
import { alreadyExists, notFound } from "./problem";

/** Everything that was written, by name: `compute/projects/p/global/networks/vpc`. */
export class Store {
  private readonly resources = new Map<string, Json>();
  private readonly makers = new Map<string, string>();
  private counter = 0;
  /** Who writes: it is noted beside what is made. */
  writer = "";

  create(name: string, resource: Json): Json {
    if (this.resources.has(name)) throw alreadyExists(name);
    return this.put(name, resource);
  }

  /** @throws 404 */
  get(name: string): Json {
    const found = this.resources.get(name);
    if (found === undefined) throw notFound(name);
    return found;
  }

  find(name: string): Json | undefined {
    return this.resources.get(name);
  }

  put(name: string, resource: Json): Json {
    if (!this.resources.has(name)) this.makers.set(name, this.writer);
    this.resources.set(name, resource);
    return resource;
  }

  /** @throws 404 */
  delete(name: string): Json {
    const found = this.get(name);
    this.resources.delete(name);
    return found;
  }

  /** Names directly below: `keyRings/r/cryptoKeys/` gives `.../k`, not `.../k/cryptoKeyVersions/1`. */
  below(collection: string): [name: string, resource: Json][] {
    const prefix = `${collection}/`;
    return [...this.resources].filter(([name]) => name.startsWith(prefix) && !name.slice(prefix.length).includes("/"));
  }

  names(): string[] {
    return [...this.resources.keys()].sort();
  }

  makerOf(name: string): string {
    return this.makers.get(name) ?? "";
  }

  /** Counts up: ids, generations and fingerprints that nothing else has. */
  next(): number {
    this.counter += 1;
    return this.counter;
  }
}

/** Twelve digits that are always the same for a project. */
export function projectNumber(project: string): string {
  const hash = createHash("sha256").update(project).digest();
  return String(100_000_000_000 + (hash.readUIntBE(0, 6) % 900_000_000_000));
}
