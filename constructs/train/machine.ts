import type { RuntimeContract } from "../../runtime/platform/contract";
import type { Gpu } from "../core/region-list";

/** A machine with one GPU. */
export interface GpuMachine {
  readonly type: string;
  readonly gpu: Gpu;
  readonly cpus: number;
  readonly gib: number;
}

const machine = (type: string, gpu: Gpu, cpus: number, gib: number): GpuMachine => ({ type, gpu, cpus, gib });

/**
 * Machines with one GPU, for each GPU the smallest first. A T4 is joined to an N1 machine; G2, A2 and A3 machines come with
 * theirs. https://cloud.google.com/compute/docs/gpus
 */
export const GPU_MACHINES: readonly GpuMachine[] = [
  ...[1, 2, 4, 8, 16, 32].map((cpus) => machine(`n1-standard-${cpus}`, "nvidia-tesla-t4", cpus, cpus * 3.75)),
  ...[4, 8, 12, 16, 32].map((cpus) => machine(`g2-standard-${cpus}`, "nvidia-l4", cpus, cpus * 4)),
  machine("a2-highgpu-1g", "nvidia-tesla-a100", 12, 85),
  machine("a2-ultragpu-1g", "nvidia-a100-80gb", 12, 170),
  machine("a3-highgpu-1g", "nvidia-h100-80gb", 26, 234),
];

/** What the system, Docker and the GPU's driver take of a machine's memory. */
const SYSTEM_GIB = 1;

/** The smallest machine with a GPU that a contract's process fits on. */
export function machineType({ name, resources }: Pick<RuntimeContract, "name" | "resources">, gpu: Gpu): string {
  const { cpu, memoryGiB } = resources;
  const all = GPU_MACHINES.filter((one) => one.gpu === gpu);
  const found = all.find(({ cpus, gib }) => cpus >= cpu && gib >= memoryGiB + SYSTEM_GIB);
  if (found) return found.type;
  const largest = all.at(-1);
  throw new Error(
    `The contract of ${name} asks for ${cpu} CPUs and ${memoryGiB} GiB: the largest machine with one ${gpu} is ${largest?.type}, with ${largest?.cpus} CPUs and ${largest?.gib} GiB, ${SYSTEM_GIB} of them the system's.`,
  );
}

/**
 * Container-Optimized OS, long-term support of milestone 125 (until September 2027), by its name: a family would be
 * looked up while planning. https://cloud.google.com/container-optimized-os/docs/release-notes
 */
export const BOOT_IMAGE = "projects/cos-cloud/global/images/cos-125-19216-700-7";
