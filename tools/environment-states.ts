import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../runtime/platform/config";
import { ENVIRONMENTS_FOLDER, environmentStacks } from "../stacks/ci-environment";
import { isHospitalName } from "../stacks/config";
import { ephemeralStateBucketName } from "../stacks/platform-config";
import { show } from "../stacks/sentences";
import { type Runner, runForList } from "./gcloud";
import type { Json } from "./synthesized";

/** A state that lies where those of ephemeral environments do: `ci-env/<id>/<stack>/default.tfstate`. */
export interface StateFile {
  readonly id: string;
  readonly stack: string;
  /** Its path or URL. */
  readonly place: string;
  /** Terraform's configuration of the backend that finds this one state. */
  readonly backend: Json;
  readonly text: string;
}

/** Something below `ci-env/` that is no state of an environment, as a sentence. */
export interface Stray {
  /** The environment that it makes doubtful; undefined where its folder's name is none. */
  readonly id: string | undefined;
  readonly problem: string;
}

export interface StateListing {
  /** Where they were looked for. */
  readonly place: string;
  readonly states: readonly StateFile[];
  readonly strays: readonly Stray[];
}

const STATE = "default.tfstate";

/** Sorts what lies below `ci-env/` into states and what is none; reads no more than the states. */
class Listing implements StateListing {
  readonly states: StateFile[] = [];
  readonly strays: Stray[] = [];

  constructor(readonly place: string) {}

  add(id: string, stack: string, file: Pick<StateFile, "place" | "backend">, read: () => string): void {
    const known = environmentStacks(id);
    if (!isHospitalName(id))
      this.stray(undefined, `${show(file.place)} lies below ${show(id)}, which no environment is called.`);
    else if (!known.includes(stack))
      this.stray(id, `${show(file.place)} is no state of this environment, whose stacks are ${known.join(" and ")}.`);
    else
      try {
        this.states.push({ id, stack, ...file, text: read() });
      } catch (error) {
        this.stray(id, `${show(file.place)} cannot be read: ${(error as Error).message}.`);
      }
  }

  stray(id: string | undefined, problem: string): void {
    this.strays.push({ id: id !== undefined && isHospitalName(id) ? id : undefined, problem });
  }
}

/**
 * The states below a folder that is laid out like the bucket. Links are not followed: what they lead to lies elsewhere.
 * @throws {ConfigurationError} if the folder is none.
 */
export function statesInFolder(folder: string): StateListing {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new ConfigurationError("The command line", [
      `--state is ${show(folder)}, which is no folder; it must be one with ${ENVIRONMENTS_FOLDER}/ID/STACK/${STATE} in it.`,
    ]);
  const root = join(resolve(folder), ENVIRONMENTS_FOLDER);
  const listing = new Listing(root);
  const link = (path: string) => `${show(path)} is a link or no plain file or folder, and is not followed.`;
  const kind = (path: string): "folder" | "file" | "other" | "missing" => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return "missing";
    return found.isDirectory() ? "folder" : found.isFile() ? "file" : "other";
  };

  const rootKind = kind(root);
  if (rootKind === "missing") return listing;
  if (rootKind !== "folder") {
    listing.stray(undefined, link(root));
    return listing;
  }
  for (const id of readdirSync(root).sort()) {
    const environment = join(root, id);
    if (kind(environment) === "other") listing.stray(id, link(environment));
    if (kind(environment) !== "folder") continue;
    for (const stack of readdirSync(environment).sort()) {
      const stackKind = kind(join(environment, stack));
      if (stackKind === "other") listing.stray(id, link(join(environment, stack)));
      if (stackKind !== "folder") continue;
      const path = join(environment, stack, STATE);
      const pathKind = kind(path);
      if (pathKind === "file")
        listing.add(id, stack, { place: path, backend: { local: { path } } }, () => readFileSync(path, "utf8"));
      else if (pathKind !== "missing") listing.stray(id, link(path));
    }
  }
  return listing;
}

interface StateObject {
  /** Within its bucket. */
  readonly name: string;
  /** Set for a version that was replaced or deleted. */
  readonly noncurrent_time?: string;
}

/** The states in the bucket of a project of ephemeral environments. */
export function statesInBucket(project: string, run: Runner): StateListing {
  const bucket = ephemeralStateBucketName(project);
  const root = `gs://${bucket}/${ENVIRONMENTS_FOLDER}`;
  const listing = new Listing(root);
  const objects = runForList<StateObject>(run, ["gcloud", "storage", "objects", "list", `${root}/**`]);
  const names = objects.filter(({ noncurrent_time }) => !noncurrent_time).map(({ name }) => String(name));
  for (const name of [...new Set(names)].sort()) {
    const [folder, id = "", stack = "", file, ...more] = name.split("/");
    if (folder !== ENVIRONMENTS_FOLDER || file !== STATE || more.length > 0) continue;
    const place = `gs://${bucket}/${name}`;
    const backend = { gcs: { bucket, prefix: `${ENVIRONMENTS_FOLDER}/${id}/${stack}` } };
    listing.add(id, stack, { place, backend }, () => run(["gcloud", "storage", "cat", place]));
  }
  return listing;
}
