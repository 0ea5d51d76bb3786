import type { HospitalRef } from "./naming";

/**
 * Google's own identities inside a project, by the service that acts as them.
 * https://cloud.google.com/iam/docs/service-agents
 */
const DOMAINS = {
  storage: "gs-project-accounts.iam.gserviceaccount.com",
  pubsub: "gcp-sa-pubsub.iam.gserviceaccount.com",
  functions: "gcf-admin-robot.iam.gserviceaccount.com",
  run: "serverless-robot-prod.iam.gserviceaccount.com",
  artifactRegistry: "gcp-sa-artifactregistry.iam.gserviceaccount.com",
} as const;

export type ServiceAgent = keyof typeof DOMAINS;
export const SERVICE_AGENTS = Object.keys(DOMAINS) as readonly ServiceAgent[];

/**
 * The agent's IAM member, composed from the project's number: the data sources that would look it up are read while
 * planning and break a plan without a network.
 */
export function serviceAgentMember(hospital: Pick<HospitalRef, "projectNumber">, agent: ServiceAgent): string {
  return `serviceAccount:service-${hospital.projectNumber}@${DOMAINS[agent]}`;
}
