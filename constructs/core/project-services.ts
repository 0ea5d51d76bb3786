import { ProjectService } from "@cdktf/provider-google/lib/project-service";
import { Construct } from "constructs";
import type { ITerraformDependable } from "./cdktf";

/** The Google APIs that a hospital's stacks and what they deploy call. */
export const PROJECT_SERVICES = [
  "artifactregistry.googleapis.com",
  "bigquery.googleapis.com",
  "bigquerydatapolicy.googleapis.com",
  "bigquerystorage.googleapis.com",
  "billingbudgets.googleapis.com",
  "cloudbuild.googleapis.com",
  "cloudfunctions.googleapis.com",
  "cloudkms.googleapis.com",
  "cloudresourcemanager.googleapis.com",
  "cloudscheduler.googleapis.com",
  "compute.googleapis.com",
  "datacatalog.googleapis.com",
  "dataproc.googleapis.com",
  "dns.googleapis.com",
  "iam.googleapis.com",
  "iamcredentials.googleapis.com",
  "iap.googleapis.com",
  "logging.googleapis.com",
  "monitoring.googleapis.com",
  "pubsub.googleapis.com",
  "run.googleapis.com",
  "serviceusage.googleapis.com",
  "storage.googleapis.com",
  "workflowexecutions.googleapis.com",
  "workflows.googleapis.com",
] as const;

export interface ProjectServicesProps {
  readonly project: string;
  /** @default what a hospital needs: {@link PROJECT_SERVICES} */
  readonly services?: readonly string[];
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** Switches the project's APIs on. They stay on after a destroy: something else in the project may use them. */
export class ProjectServices extends Construct {
  readonly all: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: ProjectServicesProps) {
    super(scope, id);
    this.all = (props.services ?? PROJECT_SERVICES).map(
      (service) =>
        new ProjectService(this, service.replace(".googleapis.com", ""), {
          project: props.project,
          service,
          disableOnDestroy: false,
          disableDependentServices: false,
          ...(props.dependsOn ? { dependsOn: [...props.dependsOn] } : {}),
        }),
    );
  }
}
