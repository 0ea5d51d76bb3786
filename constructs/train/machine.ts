import type { RuntimeContract } from "../../runtime/platform/contract";

/**
 * GPUs that TensorFlow 2.9 on CUDA 11.2 has code for and that join a machine of the N1 series.
 * https://cloud.google.com/compute/docs/gpus
 */
export const GPUS = ["nvidia-tesla-t4", "nvidia-tesla-v100", "nvidia-tesla-p100", "nvidia-tesla-p4"] as const;
export type Gpu = (typeof GPUS)[number];

const CPUS = [1, 2, 4, 8, 16, 32] as const;
const GIB_A_CPU = 3.75;

/** The smallest n1-standard machine that a contract's process fits on. */
export function machineType({ name, resources }: Pick<RuntimeContract, "name" | "resources">): string {
  const cpus = CPUS.find((count) => count >= resources.cpu && count * GIB_A_CPU >= resources.memoryGiB);
  if (cpus === undefined)
    throw new Error(
      `The contract of ${name} asks for ${resources.cpu} CPUs and ${resources.memoryGiB} GiB: a machine with a GPU of the N1 series has 32 CPUs and 120 GiB at most.`,
    );
  return `n1-standard-${cpus}`;
}

/**
 * Container-Optimized OS, long-term support of milestone 125 (until September 2027), by its name: a family would be
 * looked up while planning. https://cloud.google.com/container-optimized-os/docs/release-notes
 */
export const BOOT_IMAGE = "projects/cos-cloud/global/images/cos-125-19216-700-7";
