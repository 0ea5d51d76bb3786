import { type HospitalRef, serviceAccountId } from "../constructs/core/naming";
import type { Platform } from "./platform-config";

/** What a workflow acts as an identity of a hospital for. */
export type DeliveryPurpose = "plan" | "deploy";

const POOL = "brain-tumor-delivery";
const PROVIDER = "github";

/** `projects/N/locations/global/workloadIdentityPools/P/providers/G`, by the naming contract. */
export const deliveryProvider = ({ projectNumber }: Pick<Platform, "projectNumber">): string =>
  `projects/${projectNumber}/locations/global/workloadIdentityPools/${POOL}/providers/${PROVIDER}`;

/** E-mail of a hospital's identity for a purpose, by the naming contract. */
export const deliveryAccount = (hospital: Pick<HospitalRef, "name" | "project">, purpose: DeliveryPurpose): string =>
  `${serviceAccountId(hospital, purpose)}@${hospital.project}.iam.gserviceaccount.com`;
