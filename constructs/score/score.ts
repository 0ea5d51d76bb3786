import { Construct } from "constructs";
import { scoreContract } from "../../runtime/score/contract";
import { runOnCluster, type SparkCapabilityProps } from "../preprocess";

export type ScoreProps = SparkCapabilityProps<typeof scoreContract>;

/** The current model's answers for every curated picture, as a step of the preprocess workflow. */
export class Score extends Construct {
  constructor(scope: Construct, id: string, props: ScoreProps) {
    super(scope, id);
    runOnCluster(this, scoreContract, props, ["preprocess"]);
  }
}
