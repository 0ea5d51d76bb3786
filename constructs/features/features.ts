import { Construct } from "constructs";
import { featuresContract } from "../../runtime/features/contract";
import { runOnCluster, type SparkCapabilityProps } from "../preprocess";

export type FeaturesProps = SparkCapabilityProps<typeof featuresContract>;

/** Principal components of all pixels, as a step of the preprocess workflow. */
export class Features extends Construct {
  constructor(scope: Construct, id: string, props: FeaturesProps) {
    super(scope, id);
    runOnCluster(this, featuresContract, props, ["preprocess"]);
  }
}
