/** Of the machines' memory, what Dataproc's own daemons on a master take. */
const DAEMON_GIB = 4;
const CPUS = [2, 4, 8, 16, 32, 48, 64] as const;

/** The smallest n2-standard machine (4 GiB a CPU) on which the drivers fit beside the daemons. */
export function masterMachineType({ cpu, memoryGiB }: { readonly cpu: number; readonly memoryGiB: number }): string {
  const cpus = CPUS.find((count) => count >= cpu && count * 4 >= memoryGiB + DAEMON_GIB);
  if (cpus === undefined)
    throw new Error(
      `The steps of the workflow ask for ${cpu} CPUs and ${memoryGiB} GiB at a time: the largest machine has 64 CPUs and 256 GiB.`,
    );
  return `n2-standard-${cpus}`;
}
