import { type HospitalRef, serviceAccountId } from "../constructs/core/naming";
import type { Platform } from "./platform-config";

/** What a workflow acts as an identity of a hospital for. */
export type DeliveryPurpose = "plan" | "deploy";

/** The GitHub environment that whoever deploys has to be let into. Its protection rules are set on GitHub. */
export const DELIVERY_ENVIRONMENT = "delivery";

export const DELIVERY_POOL = "brain-tumor-delivery";
export const DELIVERY_PROVIDER = "github";

const pool = ({ projectNumber }: Pick<Platform, "projectNumber">) =>
  `projects/${projectNumber}/locations/global/workloadIdentityPools/${DELIVERY_POOL}`;

/** `projects/N/locations/global/workloadIdentityPools/P/providers/G`, by the naming contract. */
export const deliveryProvider = (platform: Pick<Platform, "projectNumber">): string =>
  `${pool(platform)}/providers/${DELIVERY_PROVIDER}`;

/** IAM member of every job that may act for a purpose. */
export const deliveryJobs = (platform: Pick<Platform, "projectNumber">, purpose: DeliveryPurpose): string =>
  `principalSet://iam.googleapis.com/${pool(platform)}/attribute.purpose/${purpose}`;

/** E-mail of a hospital's identity for a purpose, by the naming contract. */
export const deliveryAccount = (hospital: Pick<HospitalRef, "name" | "project">, purpose: DeliveryPurpose): string =>
  `${serviceAccountId(hospital, purpose)}@${hospital.project}.iam.gserviceaccount.com`;

/** The same as an IAM member. */
export const deliveryMember = (hospital: Pick<HospitalRef, "name" | "project">, purpose: DeliveryPurpose): string =>
  `serviceAccount:${deliveryAccount(hospital, purpose)}`;

/** Role in the platform's project, made by the platform stack. */
export const POLICY_READER = "brainTumorPolicyReader";
