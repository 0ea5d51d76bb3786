import { createHash } from "node:crypto";

/**
 * Names a way of doing something by all that decides it: two processes with the same name do the same. The parameters
 * must be those that the code itself reads; `version` stands for what no parameter says, and grows when the code computes
 * something else. A test pins what comes out, so that a change without a new name is seen.
 *
 * @returns prefix and version, then 10 hex digits of the SHA-256 of the parameters as JSON
 */
export function identityOf(prefix: string, parameters: { readonly version: number }): string {
  const digest = createHash("sha256").update(JSON.stringify(parameters)).digest("hex");
  return `${prefix}${parameters.version}-${digest.slice(0, 10)}`;
}
