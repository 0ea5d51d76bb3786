import type { RuntimeContract } from "../../runtime/platform/contract";

/** One step of the workflow. */
export interface WorkflowStep {
  /** The capability that the step is of: its contract names the driver. */
  readonly contract: RuntimeContract;
  /** Key of the contract's `drivers`, and the step's id in the workflow. */
  readonly step: string;
  /** What the runtime's processes are given. */
  readonly environment: Readonly<Record<string, string>>;
  /** Steps that have to have succeeded. @default none: it starts with the workflow */
  readonly after?: readonly string[];
}

/** Steps by the number of steps that they wait for, one after the other: those of one rank may run at the same time. */
export function ranks(steps: readonly WorkflowStep[]): WorkflowStep[][] {
  const rankOf = new Map<string, number>();
  const result: WorkflowStep[][] = [];
  // A step is added after those that it waits for.
  for (const step of steps) {
    const rank = Math.max(-1, ...(step.after ?? []).map((name) => rankOf.get(name) ?? -1)) + 1;
    rankOf.set(step.step, rank);
    result[rank] = [...(result[rank] ?? []), step];
  }
  return result;
}

/** Seconds that all steps may take by their contracts: ranks follow one another. */
export function longestSeconds(steps: readonly WorkflowStep[]): number {
  return ranks(steps).reduce(
    (sum, rank) => sum + Math.max(...rank.map(({ contract }) => contract.resources.timeoutSeconds)),
    0,
  );
}

/** What the drivers need of the master together, where they run at the same time. */
export function driverResources(steps: readonly WorkflowStep[]): { cpu: number; memoryGiB: number } {
  return {
    cpu: Math.max(0, ...steps.map(({ contract }) => contract.resources.cpu)),
    memoryGiB: Math.max(
      0,
      ...ranks(steps).map((rank) => rank.reduce((sum, { contract }) => sum + contract.resources.memoryGiB, 0)),
    ),
  };
}
