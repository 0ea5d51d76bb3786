import type { HospitalRef } from "./naming";

const serviceAgent = (domain: string) => (projectNumber: string) => `service-${projectNumber}@${domain}`;

/**
 * Google's own identities inside a project that store something for it, by the service that acts as them.
 * https://cloud.google.com/iam/docs/service-agents
 */
const EMAILS = {
  storage: serviceAgent("gs-project-accounts.iam.gserviceaccount.com"),
  pubsub: serviceAgent("gcp-sa-pubsub.iam.gserviceaccount.com"),
  functions: serviceAgent("gcf-admin-robot.iam.gserviceaccount.com"),
  run: serviceAgent("serverless-robot-prod.iam.gserviceaccount.com"),
  artifactRegistry: serviceAgent("gcp-sa-artifactregistry.iam.gserviceaccount.com"),
  // BigQuery encrypts as an account with another form of name.
  bigquery: (projectNumber: string) => `bq-${projectNumber}@bigquery-encryption.iam.gserviceaccount.com`,
  compute: serviceAgent("compute-system.iam.gserviceaccount.com"),
  dataproc: serviceAgent("dataproc-accounts.iam.gserviceaccount.com"),
  workflows: serviceAgent("gcp-sa-workflows.iam.gserviceaccount.com"),
} as const;

/** The same of what a line may ask for. */
const OPTIONAL_EMAILS = { healthcare: serviceAgent("gcp-sa-healthcare.iam.gserviceaccount.com") } as const;

export type ServiceAgent = keyof typeof EMAILS | keyof typeof OPTIONAL_EMAILS;
/** Each of them needs the hospital's key. */
export const SERVICE_AGENTS = Object.keys(EMAILS) as readonly ServiceAgent[];

/** Those of a hospital: the others only where its line asks for what they do. */
export const serviceAgentsOf = ({ pacs }: { readonly pacs?: string | undefined }): readonly ServiceAgent[] =>
  pacs === undefined ? SERVICE_AGENTS : [...SERVICE_AGENTS, "healthcare"];

/**
 * The agent's IAM member, composed from the project's number: the data sources that would look it up are read while
 * planning and break a plan without a network.
 */
export function serviceAgentMember(hospital: Pick<HospitalRef, "projectNumber">, agent: ServiceAgent): string {
  return `serviceAccount:${{ ...EMAILS, ...OPTIONAL_EMAILS }[agent](hospital.projectNumber)}`;
}

/** What the log sinks of a project write as. https://cloud.google.com/logging/docs/export/configure_export_v2 */
export function logWriterMember({ projectNumber }: Pick<HospitalRef, "projectNumber">): string {
  return `serviceAccount:service-${projectNumber}@gcp-sa-logging.iam.gserviceaccount.com`;
}

/** What Identity-Aware Proxy calls a service as. https://cloud.google.com/iap/docs/enabling-cloud-run */
export function identityAwareProxyMember({ projectNumber }: Pick<HospitalRef, "projectNumber">): string {
  return `serviceAccount:service-${projectNumber}@gcp-sa-iap.iam.gserviceaccount.com`;
}

/** What Google's APIs make machines as, for others. https://cloud.google.com/iam/docs/service-agents#google-apis-service-agent */
export function apiAgentMember({ projectNumber }: Pick<HospitalRef, "projectNumber">): string {
  return `serviceAccount:${projectNumber}@cloudservices.gserviceaccount.com`;
}
