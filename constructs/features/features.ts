import { Construct } from "constructs";
import { featuresContract } from "../../runtime/features/contract";
import { runOnCluster, type SparkCapabilityProps } from "../preprocess";

export type FeaturesProps = SparkCapabilityProps<typeof featuresContract>;

/**
 * Principal components of all pixels, as a step of the preprocess workflow; where a backbone is named, what that network sees
 * in every picture, as another.
 */
export class Features extends Construct {
  constructor(scope: Construct, id: string, props: FeaturesProps) {
    super(scope, id);
    const { BACKBONE, ...bindings } = props.bindings;
    const environment = runOnCluster(this, featuresContract, { ...props, bindings }, ["preprocess"]);
    if (BACKBONE !== undefined)
      props.preprocess.workflow.addStep({
        contract: featuresContract,
        step: "deep",
        environment: { ...environment, BACKBONE },
        // Not because it needs them: beside both pca and score the drivers would take a larger master.
        after: ["pca"],
      });
  }
}
