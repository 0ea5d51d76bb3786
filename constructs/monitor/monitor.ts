import { Construct } from "constructs";
import { monitorContract } from "../../runtime/monitor/contract";
import type { MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";
import { runOnCluster, type SparkCapabilityProps } from "../preprocess";
import { monitorMonitoring } from "./monitoring";

export interface MonitorProps extends SparkCapabilityProps<typeof monitorContract> {
  readonly hospital: HospitalRef;
  /**
   * How many days may pass between two runs: two more without one, and somebody is told.
   * @default nothing starts by itself, and nobody misses a run
   */
  readonly gapDays?: number | undefined;
}

/** What is told of the current model's days, as a step of the preprocess workflow: once the new scans are scored. */
export class Monitor extends Construct {
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, { hospital, gapDays, ...props }: MonitorProps) {
    super(scope, id);
    runOnCluster(this, monitorContract, props, ["score"]);
    this.monitoring = monitorMonitoring(hospital, gapDays);
  }
}
