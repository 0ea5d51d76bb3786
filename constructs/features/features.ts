import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import { Construct } from "constructs";
import { featuresContract } from "../../runtime/features/contract";
import type { Bindings } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import { grantDeclaredAccess } from "../core/declared-access";
import { RuntimeBundle } from "../core/runtime-bundle";
import type { Preprocess } from "../preprocess";
import type { BucketRefs, SecureBucket } from "../storage";

export interface FeaturesProps {
  readonly buckets: BucketRefs;
  /** Where code is uploaded. */
  readonly source: SecureBucket;
  /** Whose workflow it is a step of: it runs on that cluster, under that identity. */
  readonly preprocess: Preprocess;
  /** The environment variables of `runtime/features/contract.ts` that are no bucket's. */
  readonly bindings: Bindings<typeof featuresContract>;
}

/** Principal components of all pixels, as a step of the preprocess workflow. */
export class Features extends Construct {
  constructor(scope: Construct, id: string, props: FeaturesProps) {
    super(scope, id);
    const { buckets, source, preprocess } = props;
    const environment = bindEnvironment(featuresContract, buckets, props.bindings);
    grantDeclaredAccess(featuresContract, preprocess.identity, buckets);

    const bundle = new RuntimeBundle(this, "bundle", featuresContract);
    const archive = new StorageBucketObject(this, "archive", {
      bucket: source.resource.name,
      name: bundle.objectName,
      source: bundle.path,
      contentType: "application/zip",
    });
    preprocess.workflow.addRuntime(featuresContract.name, `gs://${source.name}/${archive.name}`);
    preprocess.workflow.addStep({ contract: featuresContract, step: "pca", environment, after: ["preprocess"] });
  }
}
