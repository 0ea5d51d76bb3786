import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { trainContract } from "../../runtime/train/contract";
import type { ContainerImage } from "../core/container-image";
import { grantDeclaredAccess, type Places } from "../core/declared-access";
import type { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";

/** Everything that the identity of a training machine may do. */
export function grantTrain(
  identity: Identity,
  props: { readonly hospital: HospitalRef; readonly places: Places; readonly image: ContainerImage },
): void {
  grantDeclaredAccess(trainContract, identity, props.places);
  props.image.grantPull(identity, "pull", identity.member);
  // A machine has nobody who writes its logs for it, and log entries are granted on the project only.
  new ProjectIamMember(identity, "log", {
    project: props.hospital.project,
    role: "roles/logging.logWriter",
    member: identity.member,
  });
}
