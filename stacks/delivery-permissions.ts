/**
 * What Terraform calls for each type of resource that a hospital's stacks have, as `service.resource` and its verbs. From
 * the provider's calls and https://cloud.google.com/iam/docs/permissions-reference; all of them stand in predefined roles of
 * 2026-08 (https://github.com/iann0036/iam-dataset). Written out, because the predefined roles for these services
 * also read what lies in a bucket, a table or a log.
 */
interface Calls {
  /** To refresh and to plan. */
  readonly read: string;
  /** To create, change and delete, beside {@link read}. */
  readonly write: string;
}

const calls = (resource: string, write: string, more: Partial<Calls> = {}): Calls => ({
  read: `${resource}: get${more.read ? `; ${more.read}` : ""}`,
  write: `${resource}: ${write}${more.write ? `; ${more.write}` : ""}`,
});
const grant = (resource: string): Calls => ({ read: `${resource}: getIamPolicy`, write: `${resource}: setIamPolicy` });
/** What decides the rights of the two identities themselves, and the project's grants: changed by a person, see below. */
const readOnly = (read: string): Calls => ({ read, write: "" });

const GLOBAL = { read: "compute.globalOperations: get" };
const REGIONAL = { read: "compute.regionOperations: get" };
const IN_NETWORK = { ...GLOBAL, write: "compute.networks: updatePolicy" };

export const CALLS: Readonly<Record<string, Calls>> = {
  // With the organisation, where a project's role does not reach: see docs/operations.md.
  google_access_context_manager_service_perimeter_resource: readOnly(""),
  google_org_policy_policy: readOnly(""),
  google_artifact_registry_repository: calls("artifactregistry.repositories", "create update delete"),
  google_artifact_registry_repository_iam_member: grant("artifactregistry.repositories"),
  google_bigquery_datapolicy_data_policy: calls("bigquery.dataPolicies", "create update delete"),
  google_bigquery_datapolicy_data_policy_iam_member: grant("bigquery.dataPolicies"),
  google_bigquery_dataset: calls("bigquery.datasets", "create update delete"),
  google_bigquery_dataset_iam_member: grant("bigquery.datasets"),
  // A table's column gets its policy tag by setCategory.
  google_bigquery_table: calls("bigquery.tables", "create update delete setCategory"),
  google_bigquery_table_iam_member: grant("bigquery.tables"),
  // On the billing account, where a project's role does not reach.
  google_billing_budget: readOnly(""),
  google_cloud_run_v2_job: calls("run.jobs", "create update delete", { read: "run.operations: get" }),
  google_cloud_run_v2_job_iam_member: grant("run.jobs"),
  google_cloud_run_v2_service: calls("run.services", "create update delete", { read: "run.operations: get" }),
  google_cloud_run_v2_service_iam_member: grant("run.services"),
  google_cloud_scheduler_job: calls("cloudscheduler.jobs", "create update delete pause enable"),
  google_cloudfunctions2_function: calls("cloudfunctions.functions", "create update delete sourceCodeSet", {
    read: "cloudfunctions.operations: get",
  }),
  google_compute_backend_service: calls("compute.backendServices", "create update delete use setSecurityPolicy", {
    ...GLOBAL,
    write: "compute.regionNetworkEndpointGroups: use",
  }),
  google_compute_firewall: calls("compute.firewalls", "create update delete", IN_NETWORK),
  google_compute_global_address: calls("compute.globalAddresses", "create delete use setLabels", GLOBAL),
  google_compute_global_forwarding_rule: calls(
    "compute.globalForwardingRules",
    "create update delete setTarget setLabels",
    GLOBAL,
  ),
  google_compute_instance_template: calls("compute.instanceTemplates", "create delete", GLOBAL),
  google_compute_managed_ssl_certificate: calls("compute.sslCertificates", "create delete", GLOBAL),
  google_compute_network: calls("compute.networks", "create update updatePolicy delete", GLOBAL),
  google_compute_region_network_endpoint_group: calls("compute.regionNetworkEndpointGroups", "create delete", REGIONAL),
  google_compute_route: calls("compute.routes", "create delete", IN_NETWORK),
  google_compute_router: calls("compute.routers", "create update delete", {
    ...REGIONAL,
    write: "compute.networks: updatePolicy",
  }),
  google_compute_router_nat: calls("compute.routers", "update", REGIONAL),
  google_compute_security_policy: calls("compute.securityPolicies", "create update delete use setLabels", GLOBAL),
  google_compute_ssl_policy: calls("compute.sslPolicies", "create update delete use", GLOBAL),
  google_compute_subnetwork: calls(
    "compute.subnetworks",
    "create update delete use setPrivateIpGoogleAccess expandIpCidrRange",
    { ...REGIONAL, write: "compute.networks: updatePolicy" },
  ),
  google_compute_target_http_proxy: calls("compute.targetHttpProxies", "create update delete use setUrlMap", GLOBAL),
  google_compute_target_https_proxy: calls(
    "compute.targetHttpsProxies",
    "create update delete use setUrlMap setSslCertificates setSslPolicy",
    GLOBAL,
  ),
  google_compute_url_map: calls("compute.urlMaps", "create update delete use", GLOBAL),
  // A policy tag is part of its taxonomy.
  google_data_catalog_policy_tag: calls("datacatalog.taxonomies", "update"),
  google_data_catalog_taxonomy: calls("datacatalog.taxonomies", "create update delete"),
  google_dataproc_autoscaling_policy: calls("dataproc.autoscalingPolicies", "create update delete use"),
  google_dataproc_workflow_template: calls("dataproc.workflowTemplates", "create update delete"),
  google_dns_managed_zone: calls("dns.managedZones", "create update delete", {
    write: "dns.networks: bindPrivateDNSZone",
  }),
  google_dns_record_set: calls("dns.resourceRecordSets", "create update delete", {
    read: "dns.resourceRecordSets: list",
    write: "dns.changes: create get",
  }),
  google_iap_web_backend_service_iam_member: grant("iap.webServices"),
  // Keys, and who may use them, are changed by a person: whoever can do it can lock everybody out, or let anybody in.
  google_kms_crypto_key: readOnly("cloudkms.cryptoKeys: get"),
  google_kms_crypto_key_iam_member: readOnly("cloudkms.cryptoKeys: getIamPolicy"),
  google_kms_key_ring: readOnly("cloudkms.keyRings: get"),
  google_logging_metric: calls("logging.logMetrics", "create update delete"),
  google_logging_project_sink: calls("logging.sinks", "create update delete"),
  google_monitoring_alert_policy: calls("monitoring.alertPolicies", "create update delete"),
  google_monitoring_custom_service: calls("monitoring.services", "create update delete"),
  google_monitoring_dashboard: calls("monitoring.dashboards", "create update delete"),
  google_monitoring_notification_channel: calls("monitoring.notificationChannels", "create update delete"),
  google_monitoring_slo: calls("monitoring.slos", "create update delete"),
  google_monitoring_uptime_check_config: calls("monitoring.uptimeCheckConfigs", "create update delete"),
  google_project_iam_audit_config: readOnly("resourcemanager.projects: get getIamPolicy"),
  google_project_iam_custom_role: readOnly("iam.roles: get"),
  google_project_iam_member: readOnly("resourcemanager.projects: get getIamPolicy"),
  google_project_service: { read: "serviceusage.services: get list use", write: "serviceusage.services: enable" },
  google_pubsub_subscription: calls("pubsub.subscriptions", "create update delete"),
  google_pubsub_subscription_iam_member: grant("pubsub.subscriptions"),
  google_pubsub_topic: calls("pubsub.topics", "create update delete attachSubscription detachSubscription"),
  google_pubsub_topic_iam_member: grant("pubsub.topics"),
  google_service_account: calls("iam.serviceAccounts", "create update delete"),
  google_service_account_iam_member: grant("iam.serviceAccounts"),
  google_storage_bucket: calls("storage.buckets", "create update delete"),
  google_storage_bucket_iam_member: grant("storage.buckets"),
  // Objects are read and written in the bucket of code alone, by a grant there.
  google_storage_bucket_object: readOnly(""),
  // The API counts it as a part of its bucket.
  google_storage_notification: calls("storage.buckets", "update"),
  google_workflows_workflow: calls("workflows.workflows", "create update delete", {
    read: "workflows.operations: get",
  }),
};

/** The same of what a line may ask for: a hospital that does not is not deployed with these. */
export const PACS_CALLS: Readonly<Record<string, Calls>> = {
  google_healthcare_dataset: calls("healthcare.datasets", "create update delete", {
    read: "healthcare.operations: get",
  }),
  google_healthcare_dicom_store: calls("healthcare.dicomStores", "create update delete"),
  google_healthcare_dicom_store_iam_member: grant("healthcare.dicomStores"),
  google_healthcare_fhir_store: calls("healthcare.fhirStores", "create update delete"),
  google_healthcare_fhir_store_iam_member: grant("healthcare.fhirStores"),
};

export const RECEIVER_CALLS: Readonly<Record<string, Calls>> = {
  // As with keys: whoever may let others read a secret reads it.
  google_secret_manager_secret_iam_member: readOnly("secretmanager.secrets: getIamPolicy"),
  google_vpc_access_connector: calls("vpcaccess.connectors", "create update delete use", {
    read: "vpcaccess.operations: get",
  }),
};

/** The checks of a wave read the log of requests; what they ask of services stands above. */
const CHECKS = "logging.logEntries: list";

/** `a.b: c d; e.f: g` as permissions. */
function permissions(texts: readonly string[]): string[] {
  const found = texts
    .flatMap((text) => text.split("; "))
    .flatMap((part) => {
      const [resource = "", verbs = ""] = part.split(": ");
      return verbs.split(" ").flatMap((verb) => (verb === "" ? [] : [`${resource}.${verb}`]));
    });
  return [...new Set(found)].sort();
}

type Asked = { readonly pacs?: string | undefined; readonly delivery?: { readonly to?: string | undefined } };
/** Every kind of call of a hospital. */
export const callsOf = ({ pacs, delivery }: Asked): Readonly<Record<string, Calls>> => ({
  ...CALLS,
  ...(pacs === undefined ? {} : PACS_CALLS),
  ...(delivery?.to === undefined ? {} : RECEIVER_CALLS),
});

/** Permissions of the identity that plans: it reads what Terraform made, and nothing that lies in it. */
export const planPermissions = (hospital: Asked): readonly string[] =>
  permissions(Object.values(callsOf(hospital)).map(({ read }) => read));

/** Permissions of the identity that deploys. */
export const deployPermissions = (hospital: Asked): readonly string[] =>
  permissions([...Object.values(callsOf(hospital)).flatMap(({ read, write }) => [read, write]), CHECKS]);

/** What is read of the platform's bucket of states, its log archive and its images by those who let others in there. */
export const POLICY_READER_PERMISSIONS: readonly string[] = [
  "artifactregistry.repositories.get",
  "artifactregistry.repositories.getIamPolicy",
  "storage.buckets.get",
  "storage.buckets.getIamPolicy",
];
