import {
  ComputeSecurityPolicy,
  type ComputeSecurityPolicyRule,
} from "@cdktf/provider-google/lib/compute-security-policy";
import { Construct } from "constructs";
import { type HospitalRef, resourceName } from "../core/naming";

/** https://cloud.google.com/armor/docs/waf-rules: rules that look at path and headers, which pictures in a body do not trip. */
const WAF_RULES = [
  "scannerdetection-v33-stable",
  "protocolattack-v33-stable",
  "lfi-v33-stable",
  "rce-v33-stable",
] as const;

export interface SecurityPolicyProps {
  readonly hospital: HospitalRef;
  /** CIDR ranges that may send requests at all, at most ten. */
  readonly allowedRanges: readonly string[] | undefined;
  /** Requests a minute from one address. */
  readonly requestsPerMinute: number;
}

/** Cloud Armor in front of the load balancer: known attacks and floods end there, and so does what is not from the hospital. */
export class SecurityPolicy extends Construct {
  readonly resource: ComputeSecurityPolicy;

  constructor(scope: Construct, id: string, props: SecurityPolicyProps) {
    super(scope, id);
    const { allowedRanges } = props;
    this.resource = new ComputeSecurityPolicy(this, "policy", {
      project: props.hospital.project,
      name: resourceName(props.hospital, "serve"),
      description: `What may reach the page of ${props.hospital.name}`,
      type: "CLOUD_ARMOR",
      rule: [
        ...WAF_RULES.map(
          (rule, index): ComputeSecurityPolicyRule => ({
            priority: 1000 + index,
            action: "deny(403)",
            description: `Known attacks: ${rule}`,
            preview: false,
            match: { expr: { expression: `evaluatePreconfiguredWaf('${rule}', {'sensitivity': 1})` } },
          }),
        ),
        {
          priority: 2000,
          action: "throttle",
          description: "A flood from one address",
          preview: false,
          match: ranges(allowedRanges ?? ["*"]),
          rateLimitOptions: {
            conformAction: "allow",
            exceedAction: "deny(429)",
            enforceOnKey: "IP",
            rateLimitThreshold: { count: props.requestsPerMinute, intervalSec: 60 },
          },
        },
        {
          priority: 2_147_483_647,
          action: "deny(403)",
          description: "Whatever no other rule allows",
          preview: false,
          match: ranges(["*"]),
        },
      ],
    });
  }
}

const ranges = (srcIpRanges: readonly string[]) => ({
  versionedExpr: "SRC_IPS_V1",
  config: { srcIpRanges: [...srcIpRanges] },
});
