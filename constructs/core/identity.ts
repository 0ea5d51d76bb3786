import { ServiceAccount } from "@cdktf/provider-google/lib/service-account";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import type { ITerraformDependable } from "./cdktf";
import { type HospitalRef, serviceAccountId } from "./naming";

export interface IdentityProps {
  readonly hospital: HospitalRef;
  /** Part of the account's id, after the hospital's name. */
  readonly role: string;
  /** What acts under this identity, for whoever reads the console. */
  readonly description: string;
}

/** One service account, for one purpose. What it may do is granted to it by the resources it uses. */
export class Identity extends Construct {
  readonly account: ServiceAccount;
  /** `serviceAccount:...` as IAM names it. */
  readonly member: string;
  readonly email: string;
  /** What must exist before the first resource that runs as this identity: put it into `dependsOn`. */
  readonly ready: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: IdentityProps) {
    super(scope, id);
    this.account = new ServiceAccount(this, "account", {
      project: props.hospital.project,
      accountId: serviceAccountId(props.hospital, props.role),
      displayName: `${props.hospital.name}: ${props.role}`,
      description: props.description,
    });
    this.ready = props.hospital.deployer ? [this.grantDeployer(props.hospital.deployer)] : [];
    this.member = this.account.member;
    this.email = this.account.email;
  }

  /** Whoever deploys a workload has to be allowed to act as what the workload runs as. */
  private grantDeployer(member: string): ITerraformDependable {
    return new ServiceAccountIamMember(this, "deployer", {
      serviceAccountId: this.account.name,
      role: "roles/iam.serviceAccountUser",
      member,
    });
  }
}
