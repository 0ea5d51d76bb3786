import type { Hospital } from "./config";

/** Why nobody but its engineer's machine can roll a hospital out; undefined if its state is where it can be kept. */
export function stateProblem({
  name,
  tier,
  stateBucket,
}: Pick<Hospital, "name" | "tier" | "stateBucket">): string | undefined {
  if (tier !== "prod" || stateBucket !== undefined) return undefined;
  return `Hospital "${name}" is of tier prod, and its state is a file on one machine: set state: "gcs" in the platform's line, or "stateBucket" in the hospital's, and move the state there.`;
}
