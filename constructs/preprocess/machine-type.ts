import type { RuntimeContract } from "../../runtime/platform/contract";

/** Of the machines' memory, what Dataproc's own daemons on a master take. */
const DAEMON_GIB = 4;
const CPUS = [2, 4, 8, 16, 32, 48, 64] as const;

/** The smallest n2-standard machine (4 GiB a CPU) on which a contract's process fits beside the daemons. */
export function masterMachineType({ name, resources }: Pick<RuntimeContract, "name" | "resources">): string {
  const cpus = CPUS.find((count) => count >= resources.cpu && count * 4 >= resources.memoryGiB + DAEMON_GIB);
  if (cpus === undefined)
    throw new Error(
      `The contract of ${name} asks for ${resources.cpu} CPUs and ${resources.memoryGiB} GiB: the largest machine has 64 CPUs and 256 GiB.`,
    );
  return `n2-standard-${cpus}`;
}
