import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import { Construct } from "constructs";
import { AssetType, TerraformAsset } from "../core/cdktf";
import { repositoryRoot } from "../core/repository";
import type { SecureBucket } from "../storage";

export interface SparkFilesProps {
  /** Where code is uploaded. */
  readonly source: SecureBucket;
}

/**
 * The Python files of the steps: each is uploaded once, whoever submits it. Its folder is its hash, so an unchanged file
 * keeps its address; its own name is what Python imports it by.
 */
export class SparkFiles extends Construct {
  private readonly source: SecureBucket;

  constructor(scope: Construct, id: string, props: SparkFilesProps) {
    super(scope, id);
    this.source = props.source;
  }

  /** @param path from the repository's root @returns the file's gs:// URI */
  uri(path: string): string {
    const id = basename(path, ".py");
    const known = this.node.tryFindChild(id) as StorageBucketObject | undefined;
    return `gs://${this.source.name}/${(known ?? this.upload(id, path)).name}`;
  }

  private upload(id: string, path: string): StorageBucketObject {
    const file = join(repositoryRoot(), path);
    const hash = createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 32);
    const asset = new TerraformAsset(this, `${id}-file`, { path: file, type: AssetType.FILE, assetHash: hash });
    return new StorageBucketObject(this, id, {
      bucket: this.source.resource.name,
      name: `spark/${hash}/${basename(path)}`,
      source: asset.path,
      contentType: "text/x-python",
    });
  }
}
