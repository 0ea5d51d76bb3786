import { ServiceAccount } from "@cdktf/provider-google/lib/service-account";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import { dependable, type ITerraformDependable, Lazy, TerraformResource } from "./cdktf";
import { type HospitalRef, serviceAccountId } from "./naming";

export interface IdentityProps {
  readonly hospital: HospitalRef;
  /** Part of the account's id, after the hospital's name. */
  readonly role: string;
  /** What acts under this identity, for whoever reads the console. */
  readonly description: string;
  /**
   * The identity that may act as this one, which nothing is deployed with then.
   * @default none: workloads run as it
   */
  readonly actor?: Identity;
}

/**
 * One service account, for one purpose. What it may do is granted to it by the resources it uses; every grant stands below
 * it, whoever makes it.
 */
export class Identity extends Construct {
  readonly account: ServiceAccount;
  /** `serviceAccount:...` as IAM names it. */
  readonly member: string;
  readonly email: string;
  /** The same, as it is known before there is an account. */
  readonly address: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: IdentityProps,
  ) {
    super(scope, id);
    const accountId = serviceAccountId(props.hospital, props.role);
    this.address = `${accountId}@${props.hospital.project}.iam.gserviceaccount.com`;
    this.account = new ServiceAccount(this, "account", {
      project: props.hospital.project,
      accountId,
      displayName: `${props.hospital.name}: ${props.role}`,
      description: props.description,
    });
    this.member = this.account.member;
    this.email = this.account.email;
    if (props.actor)
      new ServiceAccountIamMember(this, "actor", {
        serviceAccountId: this.account.name,
        role: "roles/iam.serviceAccountTokenCreator",
        member: props.actor.member,
      });
    else if (props.hospital.deployer) this.grantDeployer(props.hospital.deployer);
  }

  /**
   * A second account, which this one alone may act as, to ask the tables: whoever may add rows to a table could change them
   * too, by a job, so this one may run none.
   */
  get reader(): Identity {
    const known = this.node.tryFindChild("reader") as Identity | undefined;
    const { hospital, role } = this.props;
    return (
      known ??
      new Identity(this, "reader", {
        hospital,
        role: `${role}-reader`,
        description: `Asks the tables for ${role}, and changes nothing`,
        actor: this,
      })
    );
  }

  /** What it and its {@link reader} have been granted so far, and the right to deploy as it. */
  get rights(): readonly ITerraformDependable[] {
    return this.node
      .findAll()
      .filter((child) => TerraformResource.isTerraformResource(child))
      .filter(({ terraformResourceType }) => terraformResourceType.endsWith("_iam_member"));
  }

  /** Whoever deploys a workload has to be allowed to act as what the workload runs as. */
  private grantDeployer(member: string): void {
    new ServiceAccountIamMember(this, "deployer", {
      serviceAccountId: this.account.name,
      role: "roles/iam.serviceAccountUser",
      member,
    });
  }
}

/**
 * Says that something runs, or is called, as some identities, once: it waits for every right of theirs, also for those that
 * are granted later. What starts before its rights are there fails at random.
 */
export function runsAs(workload: TerraformResource, ...identities: readonly Identity[]): void {
  const others = workload.dependsOn ?? [];
  const rights = () => identities.flatMap((identity) => identity.rights);
  workload.dependsOn = Lazy.listValue({ produce: () => [...others, ...rights().map(dependable)] });
}
