import { ProjectService } from "@cdktf/provider-google/lib/project-service";
import { Construct } from "constructs";
import type { ITerraformDependable } from "./cdktf";

/** The Google APIs that a hospital's stacks call. */
export const PROJECT_SERVICES = [
  "artifactregistry.googleapis.com",
  "cloudbuild.googleapis.com",
  "cloudfunctions.googleapis.com",
  "cloudkms.googleapis.com",
  "iam.googleapis.com",
  "logging.googleapis.com",
  "pubsub.googleapis.com",
  "run.googleapis.com",
  "storage.googleapis.com",
] as const;

/** Switches the project's APIs on. They stay on after a destroy: something else in the project may use them. */
export class ProjectServices extends Construct {
  readonly all: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: { readonly project: string }) {
    super(scope, id);
    this.all = PROJECT_SERVICES.map(
      (service) =>
        new ProjectService(this, service.replace(".googleapis.com", ""), {
          project: props.project,
          service,
          disableOnDestroy: false,
          disableDependentServices: false,
        }),
    );
  }
}
