import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";
import type { KeyRefs } from "../security";
import type { BucketRefs } from "../storage";

export interface GatewayProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly keys: KeyRefs;
  /** Who signs in as it, as IAM names a federated identity. */
  readonly principal: string;
}

/** What it lands has been named anew already: ingest takes names as given there, and nobody else may create there. */
const FOLDER = "Unlabelled/gateway/";
/** Answers of whole studies, without a name: what goes home. Nothing else of the reports does. */
const ANSWERS = "studies/";

/** What the process in the hospital may do here: `runtime/gateway` runs there, and nothing of it in the cloud. */
export class Gateway extends Construct {
  readonly identity: Identity;

  constructor(scope: Construct, id: string, { hospital, buckets, keys, principal }: GatewayProps) {
    super(scope, id);
    this.identity = new Identity(this, "identity", {
      // Nothing is deployed as it.
      hospital: { ...hospital, deployer: undefined },
      role: "gateway",
      description: "Lands de-identified scans from inside the hospital",
    });
    new ServiceAccountIamMember(this.identity, "signs-in", {
      serviceAccountId: this.identity.account.name,
      role: "roles/iam.workloadIdentityUser",
      member: principal,
    });
    buckets.landing.grantAppend(this.identity, [FOLDER]);
    // An upload whose answer was lost is compared with what is there.
    buckets.landing.grantLook(this.identity, [FOLDER]);
    buckets.reports.grantLook(this.identity, [ANSWERS]);
    keys.pseudonym.grantSign(this.identity);
  }
}
