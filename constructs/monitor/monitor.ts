import { Construct } from "constructs";
import { monitorContract } from "../../runtime/monitor/contract";
import { runOnCluster, type SparkCapabilityProps } from "../preprocess";

export type MonitorProps = SparkCapabilityProps<typeof monitorContract>;

/** What is told of the current model's days, as a step of the preprocess workflow: once the new scans are scored. */
export class Monitor extends Construct {
  constructor(scope: Construct, id: string, props: MonitorProps) {
    super(scope, id);
    runOnCluster(this, monitorContract, props, ["score"]);
  }
}
