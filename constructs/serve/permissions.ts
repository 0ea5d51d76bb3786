import type { CloudRunV2Service } from "@cdktf/provider-google/lib/cloud-run-v2-service";
import { CloudRunV2ServiceIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-service-iam-member";
import type { ComputeBackendService } from "@cdktf/provider-google/lib/compute-backend-service";
import { IapWebBackendServiceIamMember } from "@cdktf/provider-google/lib/iap-web-backend-service-iam-member";
import type { Construct } from "constructs";
import { serveContract } from "../../runtime/serve/contract";
import type { ContainerImage } from "../core/container-image";
import { grantDeclaredAccess, type Places } from "../core/declared-access";
import type { Identity } from "../core/identity";
import { type HospitalRef, shortHash } from "../core/naming";
import { identityAwareProxyMember, serviceAgentMember } from "../core/service-agents";
import type { KeyRefs } from "../security";
import type { Viewer } from "./callers";

/** Everything that the identity of the service may do, and the pull of its image. */
export function grantServe(
  identity: Identity,
  props: {
    readonly hospital: HospitalRef;
    readonly keys: KeyRefs;
    readonly places: Places;
    readonly image: ContainerImage;
    readonly sharedProject: boolean;
    readonly deployerPulls: boolean;
  },
): void {
  props.keys.pseudonym.grantSign(identity);
  grantDeclaredAccess(serveContract, identity, props.places);
  // Grants that serve all environments of a shared project are its owner's, and belong to none of them.
  if (props.sharedProject) return;
  // Cloud Run's own agent pulls, and takes an image from nobody who may not read it.
  props.image.grantPull(identity, "run-pulls", serviceAgentMember(props.hospital, "run"));
  const { deployer } = props.hospital;
  if (deployer && props.deployerPulls) props.image.grantPull(identity, "deployer-pulls", deployer);
}

/** Lets a member call the service. Nobody may by default. */
export function grantInvoke(scope: Construct, id: string, service: CloudRunV2Service, member: string): void {
  new CloudRunV2ServiceIamMember(scope, id, {
    project: service.project,
    location: service.location,
    name: service.name,
    role: "roles/run.invoker",
    member,
  });
}

/** Lets Identity-Aware Proxy call the service. */
export function grantProxy(scope: Construct, hospital: HospitalRef, service: CloudRunV2Service): void {
  grantInvoke(scope, "proxy-invokes", service, identityAwareProxyMember(hospital));
}

/** Lets a member through Identity-Aware Proxy. */
export function grantThroughProxy(scope: Construct, id: string, backend: ComputeBackendService, member: string): void {
  new IapWebBackendServiceIamMember(scope, id, {
    project: backend.project,
    webBackendService: backend.name,
    role: "roles/iap.httpsResourceAccessor",
    member,
  });
}

/** A member's name is no construct's id; its hash is, and keeps its place when another member comes or goes. */
export const idOf = (member: Viewer): string => `viewer-${shortHash(member)}`;
