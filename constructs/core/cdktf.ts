/**
 * The one file that names the CDK for Terraform. cdktf is archived upstream; its successor cdktn has the same API, and
 * `tests/stacks` synthesizes the app with this name resolved to it.
 */
export {
  AnnotationMetadataEntryType,
  Annotations,
  App,
  Aspects,
  AssetType,
  DefaultTokenResolver,
  dependable,
  Fn,
  GcsBackend,
  type IAspect,
  type ITerraformDependable,
  Lazy,
  LocalBackend,
  StringConcat,
  TerraformAsset,
  TerraformElement,
  TerraformOutput,
  TerraformResource,
  type TerraformResourceLifecycle,
  TerraformStack,
  Token,
  Tokenization,
} from "cdktf";
