import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./repository";

export interface Script {
  /** For an argument of a resource: what looks like Terraform's interpolation stays what it is in the script. */
  readonly text: string;
  /** SHA-256, in hex, of the script as it is. */
  readonly sha256: string;
}

/** A script that runs on a machine. @param path from the repository's root */
export function readScript(path: string): Script {
  const script = readFileSync(join(repositoryRoot(), path), "utf8");
  return { text: escapeTemplate(script), sha256: createHash("sha256").update(script).digest("hex") };
}

/** https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences-1 */
export function escapeTemplate(text: string): string {
  return text.replace(/([$%])\{/g, "$1$1{");
}
