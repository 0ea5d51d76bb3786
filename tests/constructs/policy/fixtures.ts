import { ref } from "../../stacks/synthesize";

/** Resources of one stack by type; each gets the logical id `it`, `it2`, ... */
export type Resources = readonly (readonly [type: string, config: Record<string, unknown>])[];

/** For every rule a stack that it accepts and one in which it finds something. */
export interface Fixture {
  readonly passes: Resources;
  readonly fails: Resources;
}

const KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k";
const DIGEST = `europe-docker.pkg.dev/p/images/serve@sha256:${"0".repeat(64)}`;
const LABELS = { hospital: "st-anna", env: "prod", owner: "platform", "data-class": "phi" };

const one = (type: string, passes: Record<string, unknown>, fails: Record<string, unknown>): Fixture => ({
  passes: [[type, passes]],
  fails: [[type, fails]],
});
const BUCKET = "google_storage_bucket";
const TABLE = "google_bigquery_table";
const RUN = "google_cloud_run_v2_service";
const FUNCTION = "google_cloudfunctions2_function";
const TEMPLATE = "google_compute_instance_template";
const WORKFLOW = "google_dataproc_workflow_template";
const FIREWALL = "google_compute_firewall";
const MEMBER = "google_project_iam_member";

const cluster = (config: Record<string, unknown>) => ({
  placement: { managed_cluster: { cluster_name: "c", config } },
});
const container = (image: string, more: Record<string, unknown> = {}) => ({
  template: { containers: [{ image, ...more }] },
});
const service = (type: string): [string, Record<string, unknown>] => ["google_project_service", { service: type }];
const audit = (...types: string[]): [string, Record<string, unknown>] => [
  "google_project_iam_audit_config",
  { service: "allServices", audit_log_config: types.map((log_type) => ({ log_type })) },
];

export const FIXTURES: Readonly<Record<string, Fixture>> = {
  "no-public-member": {
    passes: [
      [`${BUCKET}_iam_member`, { bucket: "b", role: "roles/storage.objectViewer", member: "serviceAccount:a@p" }],
    ],
    fails: [
      ["google_cloud_run_v2_service_iam_member", { name: "s", role: "roles/run.invoker", member: "allUsers" }],
      ["google_bigquery_dataset", { access: [{ role: "READER", special_group: "allAuthenticatedUsers" }] }],
      [RUN, { invoker_iam_disabled: true }],
    ],
  },
  "condition-limits": {
    passes: [
      [
        `${BUCKET}_iam_member`,
        { condition: { expression: 'resource.name.startsWith("projects/_/buckets/b/objects/t/")' } },
      ],
      [MEMBER, { condition: [{ expression: 'resource.name.startsWith("projects/_/buckets/b-staging")' }] }],
      [`${BUCKET}_iam_member`, { role: "roles/storage.objectViewer" }],
    ],
    fails: [
      [
        `${BUCKET}_iam_member`,
        { condition: { expression: 'resource.name.startsWith("projects/_/buckets/b/objects/t")' } },
      ],
      [
        `${BUCKET}_iam_member`,
        { condition: { expression: 'resource.name.startsWith("projects/_/buckets/b/objects/")' } },
      ],
      [MEMBER, { condition: [{ title: "always", expression: "true" }] }],
      [MEMBER, { condition: {} }],
    ],
  },
  "warehouse-append-only": {
    passes: [
      [
        `${BUCKET}_iam_member`,
        {
          bucket: "p-h-warehouse",
          role: "roles/storage.objectCreator",
          condition: { expression: 'resource.name.startsWith("projects/_/buckets/p-h-warehouse/objects/images/")' },
        },
      ],
      [`${BUCKET}_iam_member`, { bucket: "p-h-warehouse", role: "roles/storage.objectViewer" }],
      [`${BUCKET}_iam_member`, { bucket: "p-h-models", role: "roles/storage.objectUser" }],
    ],
    fails: [
      [`${BUCKET}_iam_member`, { bucket: "p-h-warehouse", role: "roles/storage.objectUser" }],
      [`${BUCKET}_iam_member`, { bucket: "p-h-warehouse", role: "roles/storage.objectCreator" }],
      [
        `${BUCKET}_iam_member`,
        { bucket: ref("google_storage_bucket.warehouse.name"), role: "roles/storage.objectAdmin" },
      ],
    ],
  },
  "no-basic-role": one(MEMBER, { role: "roles/logging.logWriter" }, { role: "roles/editor" }),
  "no-admin-role-on-project": one(
    MEMBER,
    { role: "roles/storage.objectViewer", member: "serviceAccount:a@p" },
    { role: "roles/storage.admin", member: ref("google_service_account.a.member") },
  ),
  "no-wide-impersonation": {
    passes: [["google_service_account_iam_member", { role: "roles/iam.serviceAccountTokenCreator", member: "user:a" }]],
    fails: [
      [MEMBER, { role: "roles/iam.serviceAccountTokenCreator", member: "user:a" }],
      ["google_organization_iam_member", { role: "roles/iam.serviceAccountUser", member: "group:g" }],
    ],
  },
  "no-service-account-key": {
    passes: [["google_service_account", { account_id: "a" }]],
    fails: [
      ["google_service_account_key", { service_account_id: "a" }],
      ["google_storage_hmac_key", { service_account_email: "a" }],
    ],
  },
  "no-default-account": one(
    MEMBER,
    { role: "roles/run.invoker", member: "serviceAccount:a@p.iam.gserviceaccount.com" },
    { role: "roles/run.invoker", member: "serviceAccount:123456789012-compute@developer.gserviceaccount.com" },
  ),
  "additive-grants": {
    passes: [[`${BUCKET}_iam_member`, { role: "roles/storage.objectViewer", member: "user:a" }]],
    fails: [
      [`${BUCKET}_iam_binding`, { role: "roles/storage.objectViewer", members: ["user:a"] }],
      ["google_project_iam_policy", { policy_data: "{}" }],
    ],
  },
  "federation-condition": one(
    "google_iam_workload_identity_pool_provider",
    { attribute_condition: "assertion.repository == 'o/r'" },
    { attribute_mapping: { "google.subject": "assertion.sub" } },
  ),
  "bucket-uniform-access": {
    passes: [[BUCKET, { uniform_bucket_level_access: true }]],
    fails: [
      [BUCKET, { name: "b" }],
      ["google_storage_bucket_acl", { bucket: "b", predefined_acl: "publicRead" }],
    ],
  },
  "bucket-public-access-prevention": one(
    BUCKET,
    { public_access_prevention: "enforced" },
    { public_access_prevention: "inherited" },
  ),
  "bucket-versioning": {
    passes: [
      [BUCKET, { versioning: { enabled: true } }],
      [BUCKET, { retention_policy: { retention_period: 3600 } }],
    ],
    fails: [[BUCKET, { versioning: { enabled: false } }]],
  },
  "bucket-noncurrent-lifecycle": one(
    BUCKET,
    { lifecycle_rule: [{ action: { type: "Delete" }, condition: { days_since_noncurrent_time: 90 } }] },
    { lifecycle_rule: [{ action: { type: "Delete" }, condition: { age: 90 } }] },
  ),
  "bucket-cmek": one(BUCKET, { encryption: { default_kms_key_name: KEY } }, { name: "b" }),
  "bucket-soft-delete": {
    passes: [
      [BUCKET, { force_destroy: false, soft_delete_policy: { retention_duration_seconds: 2_592_000 } }],
      [BUCKET, { force_destroy: true, soft_delete_policy: { retention_duration_seconds: 0 } }],
    ],
    fails: [
      [BUCKET, { force_destroy: false, soft_delete_policy: { retention_duration_seconds: 0 } }],
      [BUCKET, { force_destroy: false }],
    ],
  },
  "bucket-access-log": {
    passes: [
      [BUCKET, { name: "b", labels: LABELS, logging: { log_bucket: "logs" } }],
      [BUCKET, { name: "code", labels: { ...LABELS, "data-class": "code" } }],
    ],
    fails: [
      [BUCKET, { name: "b", labels: LABELS }],
      [BUCKET, { name: "b", labels: LABELS, logging: { log_bucket: "b" } }],
    ],
  },
  "retention-lock-by-option": {
    passes: [[BUCKET, { retention_policy: { retention_period: 3600, is_locked: false } }]],
    fails: [
      [BUCKET, { retention_policy: { retention_period: 3600, is_locked: true } }],
      ["google_logging_project_bucket_config", { locked: true }],
    ],
  },
  "prod-retained": {
    passes: [
      [BUCKET, { labels: LABELS, force_destroy: false }],
      [BUCKET, { labels: { ...LABELS, env: "test" }, force_destroy: true }],
      [
        BUCKET,
        {
          labels: LABELS,
          force_destroy: true,
          lifecycle_rule: [{ action: { type: "Delete" }, condition: { age: 14 } }],
        },
      ],
    ],
    fails: [
      [BUCKET, { labels: LABELS, force_destroy: true }],
      [
        BUCKET,
        {
          labels: LABELS,
          force_destroy: true,
          lifecycle_rule: [{ action: { type: "Delete" }, condition: { age: 1, with_state: "ARCHIVED" } }],
        },
      ],
      [
        BUCKET,
        {
          labels: LABELS,
          force_destroy: true,
          lifecycle_rule: [{ action: { type: "Delete" }, condition: { age: 1, matches_prefix: ["a/"] } }],
        },
      ],
      ["google_bigquery_dataset", { labels: LABELS, delete_contents_on_destroy: true }],
    ],
  },
  "bigquery-dataset-cmek": one(
    "google_bigquery_dataset",
    { default_encryption_configuration: { kms_key_name: KEY } },
    { dataset_id: "d" },
  ),
  "bigquery-table-cmek": {
    passes: [
      [TABLE, { encryption_configuration: { kms_key_name: KEY } }],
      [TABLE, { view: { query: "SELECT 1" } }],
    ],
    fails: [[TABLE, { table_id: "t" }]],
  },
  "pubsub-topic-cmek": one("google_pubsub_topic", { kms_key_name: KEY }, { name: "t" }),
  "artifact-registry-cmek": one("google_artifact_registry_repository", { kms_key_name: KEY }, { format: "DOCKER" }),
  "function-cmek": one(FUNCTION, { kms_key_name: KEY }, { name: "f" }),
  "run-cmek": {
    passes: [
      [RUN, { template: { encryption_key: KEY } }],
      ["google_cloud_run_v2_job", { template: { template: { encryption_key: KEY } } }],
    ],
    fails: [
      [RUN, { template: {} }],
      ["google_cloud_run_v2_job", { template: { template: {} } }],
    ],
  },
  "disk-cmek": {
    passes: [
      ["google_compute_disk", { disk_encryption_key: { kms_key_self_link: KEY } }],
      ["google_compute_instance", { boot_disk: { kms_key_self_link: KEY } }],
      [TEMPLATE, { disk: [{ disk_encryption_key: { kms_key_self_link: KEY } }] }],
    ],
    fails: [
      ["google_compute_disk", { name: "d" }],
      ["google_compute_instance", { boot_disk: {} }],
      [TEMPLATE, { disk: [{ disk_encryption_key: { kms_key_self_link: KEY } }, {}] }],
    ],
  },
  "dataproc-cmek": {
    passes: [
      [WORKFLOW, cluster({ encryption_config: { gce_pd_kms_key_name: KEY } })],
      [WORKFLOW, { placement: { cluster_selector: { cluster_labels: { a: "b" } } } }],
    ],
    fails: [
      [WORKFLOW, cluster({})],
      ["google_dataproc_cluster", { cluster_config: {} }],
    ],
  },
  "secret-cmek": {
    passes: [
      [
        "google_secret_manager_secret",
        { replication: { auto: { customer_managed_encryption: { kms_key_name: KEY } } } },
      ],
    ],
    fails: [
      ["google_secret_manager_secret", { replication: { auto: {} } }],
      ["google_secret_manager_secret", { replication: { user_managed: { replicas: [{ location: "l" }] } } }],
    ],
  },
  "healthcare-dataset-cmek": one(
    "google_healthcare_dataset",
    { encryption_spec: { kms_key_name: KEY } },
    { name: "pacs" },
  ),
  "healthcare-prevent-destroy": one(
    "google_healthcare_dicom_store",
    { name: "dicom", lifecycle: { prevent_destroy: true } },
    { name: "dicom" },
  ),
  "healthcare-store-grants": {
    passes: [["google_healthcare_fhir_store_iam_member", { fhir_store_id: "s", role: "r", member: "m" }]],
    fails: [["google_healthcare_dataset_iam_member", { dataset_id: "d", role: "r", member: "m" }]],
  },
  "healthcare-fhir-versions": one(
    "google_healthcare_fhir_store",
    { version: "R4", disable_resource_versioning: false },
    { version: "R4", disable_resource_versioning: true },
  ),
  "workflow-cmek": one("google_workflows_workflow", { crypto_key_name: KEY }, { name: "w" }),
  "kms-rotation": {
    passes: [
      ["google_kms_crypto_key", { rotation_period: "7776000s" }],
      ["google_kms_crypto_key", { purpose: "MAC" }],
    ],
    fails: [
      ["google_kms_crypto_key", { rotation_period: "7776001s" }],
      ["google_kms_crypto_key", { purpose: "ENCRYPT_DECRYPT" }],
    ],
  },
  "kms-administration": {
    passes: [
      [
        "google_kms_crypto_key_iam_member",
        { role: "roles/cloudkms.cryptoKeyEncrypterDecrypter", member: "serviceAccount:a@p" },
      ],
      ["google_project_iam_custom_role", { permissions: ["cloudkms.cryptoKeys.get", "storage.buckets.setIamPolicy"] }],
    ],
    fails: [
      ["google_kms_crypto_key_iam_member", { role: "roles/cloudkms.admin", member: "user:outsider@example.com" }],
      ["google_kms_key_ring_iam_member", { role: "roles/cloudkms.importer", member: "serviceAccount:a@p" }],
      [MEMBER, { role: "roles/cloudkms.admin", member: "group:g@example.com" }],
      ["google_project_iam_custom_role", { permissions: ["cloudkms.cryptoKeyVersions.destroy"] }],
    ],
  },
  "kms-users": {
    passes: [
      [
        "google_kms_crypto_key_iam_member",
        { role: "roles/cloudkms.cryptoKeyDecrypter", member: ref("google_service_account.a.member") },
      ],
      [`${BUCKET}_iam_member`, { role: "roles/storage.objectViewer", member: "group:g@example.com" }],
    ],
    fails: [
      [
        "google_kms_crypto_key_iam_member",
        { role: "roles/cloudkms.cryptoKeyDecrypter", member: "user:outsider@example.com" },
      ],
      ["google_kms_key_ring_iam_member", { role: "roles/cloudkms.signerVerifier", member: "domain:example.com" }],
      ["google_project_iam_member", { role: "roles/cloudkms.cryptoKeyDecrypter", member: "group:g@example.com" }],
      [
        "google_kms_crypto_key_iam_member",
        {
          role: "roles/cloudkms.cryptoKeyDecrypter",
          member: "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*",
        },
      ],
    ],
  },
  "kms-prevent-destroy": one("google_kms_crypto_key", { lifecycle: { prevent_destroy: true } }, { lifecycle: {} }),
  "no-ingress-from-anywhere": {
    passes: [
      [FIREWALL, { direction: "INGRESS", allow: [{ protocol: "tcp" }], source_ranges: ["35.235.240.0/20"] }],
      [FIREWALL, { direction: "INGRESS", deny: [{ protocol: "all" }], source_ranges: ["0.0.0.0/0"] }],
      [FIREWALL, { allow: [{ protocol: "tcp" }], source_tags: ["inside"] }],
      // What lies inside is not the internet, however much of it there is.
      [FIREWALL, { allow: [{ protocol: "tcp" }], source_ranges: ["10.0.0.0/8", "172.16.0.0/12", "fd00::/8"] }],
    ],
    fails: [
      [FIREWALL, { allow: [{ protocol: "tcp" }], source_ranges: ["0.0.0.0/1", "128.0.0.0/1"] }],
      [FIREWALL, { allow: [{ protocol: "tcp" }], source_ranges: ["2000::/3"] }],
      [FIREWALL, { direction: "INGRESS", allow: [{ protocol: "tcp", ports: ["22"] }], source_ranges: ["0.0.0.0/0"] }],
      [FIREWALL, { allow: { protocol: "tcp" } }],
      [
        "google_compute_network_firewall_policy_rule",
        {
          direction: "INGRESS",
          action: "allow",
          match: { src_ip_ranges: ["::/0"], layer4_configs: [{ ip_protocol: "tcp" }] },
        },
      ],
    ],
  },
  "no-egress-to-anywhere": {
    passes: [
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "tcp" }], destination_ranges: ["199.36.153.8/30"] }],
      [FIREWALL, { direction: "EGRESS", deny: [{ protocol: "all" }], destination_ranges: ["0.0.0.0/0"] }],
      // Twenty destinations of the widest range that a hospital's line takes.
      [
        FIREWALL,
        {
          direction: "EGRESS",
          allow: [{ protocol: "tcp" }],
          destination_ranges: Array.from({ length: 20 }, (_, n) => `203.${n}.0.0/16`),
        },
      ],
    ],
    fails: [
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "all" }], destination_ranges: ["0.0.0.0/0"] }],
      [
        FIREWALL,
        { direction: "EGRESS", allow: [{ protocol: "all" }], destination_ranges: ["0.0.0.0/1", "128.0.0.0/1"] },
      ],
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "all" }], destination_ranges: ["64.0.0.0/2"] }],
      // Half of it each, in ranges of a size that none would notice.
      [
        FIREWALL,
        {
          direction: "EGRESS",
          allow: [{ protocol: "tcp" }],
          destination_ranges: Array.from({ length: 128 }, (_, n) => `52.${n}.0.0/16`),
        },
      ],
      [
        FIREWALL,
        {
          direction: "EGRESS",
          allow: [{ protocol: "tcp" }],
          destination_ranges: Array.from({ length: 128 }, (_, n) => `52.${128 + n}.0.0/16`),
        },
      ],
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "all" }], destination_ranges: ["::/1", "8000::/1"] }],
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "tcp" }] }],
    ],
  },
  "egress-denied": {
    passes: [
      ["google_compute_network", { name: "n" }],
      [FIREWALL, { direction: "EGRESS", deny: [{ protocol: "all" }], destination_ranges: ["0.0.0.0/0"] }],
    ],
    fails: [
      ["google_compute_network", { name: "n" }],
      [FIREWALL, { direction: "EGRESS", deny: [{ protocol: "tcp" }], destination_ranges: ["0.0.0.0/0"] }],
    ],
  },
  "no-default-route": {
    passes: [
      ["google_compute_route", { dest_range: "203.0.113.0/28", next_hop_gateway: "default-internet-gateway" }],
      ["google_compute_route", { dest_range: "0.0.0.0/0", next_hop_ilb: "inspected" }],
      ["google_compute_network", { delete_default_routes_on_create: true }],
    ],
    fails: [
      ["google_compute_route", { dest_range: "0.0.0.0/0", next_hop_gateway: "default-internet-gateway" }],
      [
        "google_compute_route",
        { dest_range: "128.0.0.0/1", next_hop_gateway: "projects/p/global/gateways/default-internet-gateway" },
      ],
      ["google_compute_route", { dest_range: "::/0", next_hop_gateway: "default-internet-gateway" }],
      ["google_compute_network", { name: "n" }],
    ],
  },
  "no-external-ip": one(
    TEMPLATE,
    { network_interface: [{ subnetwork: "s" }] },
    { network_interface: [{ subnetwork: "s", access_config: [{}] }] },
  ),
  "connector-egress-tagged": {
    passes: [
      ["google_vpc_access_connector", { name: "c", region: "europe-west4" }],
      [FIREWALL, { direction: "EGRESS", target_tags: ["vpc-connector-europe-west4-c"] }],
      [FIREWALL, { direction: "EGRESS", target_tags: ["preprocess"] }],
      ["google_compute_route", { tags: ["vpc-connector-europe-west4-c"] }],
    ],
    fails: [
      ["google_vpc_access_connector", { name: "c", region: "europe-west4" }],
      [FIREWALL, { direction: "EGRESS", target_tags: ["vpc-connector"] }],
      ["google_compute_route", { tags: ["vpc-connector-europe-west4-other"] }],
    ],
  },
  "connector-egress-bound": {
    passes: [
      ["google_vpc_access_connector", { name: "c", region: "europe-west4" }],
      [
        FIREWALL,
        {
          direction: "EGRESS",
          priority: 950,
          deny: [{ protocol: "all" }],
          destination_ranges: ["0.0.0.0/0"],
          target_tags: ["vpc-connector-europe-west4-c"],
        },
      ],
      [FIREWALL, { direction: "EGRESS", allow: [{ protocol: "tcp" }], destination_ranges: ["203.0.113.0/28"] }],
    ],
    fails: [["google_vpc_access_connector", { name: "c", region: "europe-west4" }]],
  },
  "own-network": {
    passes: [
      [TEMPLATE, { network_interface: [{ subnetwork: ref("google_compute_subnetwork.s.self_link") }] }],
      [WORKFLOW, cluster({ gce_cluster_config: { subnetwork: ref("google_compute_subnetwork.s.self_link") } })],
      [WORKFLOW, { placement: { cluster_selector: { cluster_labels: { a: "b" } } } }],
    ],
    fails: [
      [TEMPLATE, { network_interface: [{ subnetwork: "projects/host/regions/r/subnetworks/s" }] }],
      [TEMPLATE, { network_interface: { network: "default" } }],
      [WORKFLOW, cluster({ gce_cluster_config: { subnetwork: "projects/host/regions/r/subnetworks/s" } })],
      ["google_dataproc_cluster", { cluster_config: { gce_cluster_config: { network: "default" } } }],
    ],
  },
  "network-custom-mode": one("google_compute_network", { auto_create_subnetworks: false }, { name: "n" }),
  "subnetwork-private-access": one("google_compute_subnetwork", { private_ip_google_access: true }, { name: "s" }),
  "subnetwork-flow-logs": one(
    "google_compute_subnetwork",
    { log_config: { flow_sampling: 0.5 } },
    { private_ip_google_access: true },
  ),
  "load-balancer-tls": {
    passes: [
      ["google_compute_target_https_proxy", { ssl_policy: "p" }],
      ["google_compute_ssl_policy", { min_tls_version: "TLS_1_2", profile: "RESTRICTED" }],
    ],
    fails: [
      ["google_compute_target_https_proxy", { name: "p" }],
      ["google_compute_ssl_policy", { min_tls_version: "TLS_1_0", profile: "MODERN" }],
      ["google_compute_target_http_proxy", { name: "p" }],
    ],
  },
  "load-balancer-identity": {
    passes: [
      [
        "google_compute_backend_service",
        {
          load_balancing_scheme: "EXTERNAL_MANAGED",
          iap: { enabled: true },
          security_policy: "p",
          log_config: { enable: true },
        },
      ],
      ["google_compute_backend_service", { load_balancing_scheme: "INTERNAL_MANAGED" }],
    ],
    fails: [["google_compute_backend_service", { load_balancing_scheme: "EXTERNAL_MANAGED", security_policy: "p" }]],
  },
  "run-ingress": one(RUN, { ingress: "INGRESS_TRAFFIC_INTERNAL_ONLY" }, { ingress: "INGRESS_TRAFFIC_ALL" }),
  "run-image-digest": one(RUN, container(DIGEST), container("europe-docker.pkg.dev/p/images/serve:latest")),
  "run-max-instances": one(RUN, { template: { scaling: { max_instance_count: 4 } } }, { template: {} }),
  "run-own-identity": one(RUN, { template: { service_account: "a@p" } }, { template: {} }),
  "run-probes": one(
    RUN,
    container(DIGEST, { startup_probe: { http_get: { path: "/readyz" } }, liveness_probe: { http_get: {} } }),
    container(DIGEST, { startup_probe: { http_get: { path: "/readyz" } } }),
  ),
  "function-ingress": one(
    FUNCTION,
    { service_config: { ingress_settings: "ALLOW_INTERNAL_ONLY" } },
    { service_config: { ingress_settings: "ALLOW_ALL" } },
  ),
  "function-egress": {
    passes: [
      [FUNCTION, { service_config: {} }],
      [FUNCTION, { service_config: { vpc_connector: "c", vpc_connector_egress_settings: "ALL_TRAFFIC" } }],
    ],
    fails: [
      [FUNCTION, { service_config: { vpc_connector: "c" } }],
      [FUNCTION, { service_config: { vpc_connector: "c", vpc_connector_egress_settings: "PRIVATE_RANGES_ONLY" } }],
    ],
  },
  "function-own-identity": one(
    FUNCTION,
    { service_config: { service_account_email: "a" }, build_config: { service_account: "b" } },
    { service_config: { service_account_email: "a" }, build_config: {} },
  ),
  "function-max-instances": one(FUNCTION, { service_config: { max_instance_count: 5 } }, { service_config: {} }),
  "push-authenticated": {
    passes: [
      [
        "google_pubsub_subscription",
        { push_config: { push_endpoint: "u", oidc_token: { service_account_email: "a" } } },
      ],
      ["google_pubsub_subscription", { topic: "pulled" }],
    ],
    fails: [["google_pubsub_subscription", { push_config: { push_endpoint: "u" } }]],
  },
  "schedule-own-identity": {
    passes: [
      [
        "google_cloud_scheduler_job",
        { http_target: { uri: "https://a", oauth_token: { service_account_email: "a" } } },
      ],
      ["google_cloud_scheduler_job", { pubsub_target: { topic_name: "t" } }],
    ],
    fails: [
      ["google_cloud_scheduler_job", { http_target: { uri: "https://a" } }],
      ["google_cloud_scheduler_job", { http_target: { uri: "http://a", oidc_token: { service_account_email: "a" } } }],
    ],
  },
  "no-secret-in-environment": {
    passes: [
      [
        FUNCTION,
        { service_config: { environment_variables: { DB_PASSWORD: "projects/p/secrets/s", LOG_LEVEL: "info" } } },
      ],
    ],
    fails: [
      [FUNCTION, { service_config: { environment_variables: { DB_PASSWORD: "hunter2" } } }],
      [RUN, container(DIGEST, { env: [{ name: "API_KEY", value: "hunter2" }] })],
    ],
  },
  "dataproc-internal-ip": one(WORKFLOW, cluster({ gce_cluster_config: { internal_ip_only: true } }), cluster({})),
  "dataproc-image-pinned": one(
    WORKFLOW,
    cluster({ software_config: { image_version: "2.2.50-debian12" } }),
    cluster({ software_config: { image_version: "2.2" } }),
  ),
  "dataproc-shielded": one(
    WORKFLOW,
    cluster({
      gce_cluster_config: {
        shielded_instance_config: { enable_secure_boot: true, enable_vtpm: true, enable_integrity_monitoring: true },
      },
    }),
    cluster({ gce_cluster_config: { shielded_instance_config: { enable_vtpm: true } } }),
  ),
  "dataproc-own-identity": one(
    WORKFLOW,
    cluster({ gce_cluster_config: { service_account: "a@p" } }),
    cluster({ gce_cluster_config: {} }),
  ),
  "instance-shielded": one(
    TEMPLATE,
    { shielded_instance_config: { enable_vtpm: true, enable_integrity_monitoring: true } },
    { shielded_instance_config: { enable_secure_boot: true } },
  ),
  "instance-os-login": one(TEMPLATE, { metadata: { "enable-oslogin": "TRUE" } }, { metadata: {} }),
  "instance-serial-port": one(TEMPLATE, { metadata: {} }, { metadata: { "serial-port-enable": "TRUE" } }),
  "instance-ip-forwarding": one(TEMPLATE, { can_ip_forward: false }, { can_ip_forward: true }),
  "instance-own-identity": one(TEMPLATE, { service_account: { email: "a@p" } }, { service_account: { scopes: ["x"] } }),
  "gpu-run-duration": {
    passes: [
      [
        TEMPLATE,
        {
          guest_accelerator: [{ type: "nvidia-tesla-t4", count: 1 }],
          scheduling: { max_run_duration: { seconds: 3600 }, instance_termination_action: "DELETE" },
        },
      ],
      [TEMPLATE, { machine_type: "n2-standard-4" }],
    ],
    fails: [
      [TEMPLATE, { guest_accelerator: [{ type: "nvidia-tesla-t4", count: 1 }], scheduling: {} }],
      [TEMPLATE, { machine_type: "g2-standard-4", scheduling: { max_run_duration: { seconds: 3600 } } }],
    ],
  },
  "audit-config": {
    passes: [service("a.googleapis.com"), audit("ADMIN_READ", "DATA_READ", "DATA_WRITE")],
    fails: [service("a.googleapis.com"), audit("ADMIN_READ", "DATA_WRITE")],
  },
  "log-sink": {
    passes: [service("a.googleapis.com"), ["google_logging_project_sink", { destination: "d" }]],
    fails: [service("a.googleapis.com")],
  },
  budget: {
    passes: [service("a.googleapis.com"), ["google_billing_budget", { billing_account: "b" }]],
    fails: [service("a.googleapis.com")],
  },
  "perimeter-enforced": {
    passes: [["google_access_context_manager_service_perimeter_resource", { resource: "projects/100000000001" }]],
    fails: [
      ["google_access_context_manager_service_perimeter_dry_run_resource", { resource: "projects/100000000001" }],
      ["google_access_context_manager_service_perimeter_resource", { resource: "projects/example-prod" }],
    ],
  },
  "org-policy-restricts": {
    passes: [
      ["google_org_policy_policy", { spec: { rules: [{ enforce: "TRUE" }] } }],
      ["google_org_policy_policy", { spec: { rules: { deny_all: "TRUE" } } }],
      [
        "google_org_policy_policy",
        { spec: [{ rules: [{ values: { allowed_values: ["in:europe-west4-locations"] } }] }] },
      ],
    ],
    fails: [
      ["google_org_policy_policy", { spec: { rules: [{ enforce: "FALSE" }] } }],
      ["google_org_policy_policy", { spec: { rules: [{ allow_all: "TRUE" }] } }],
      ["google_org_policy_policy", { spec: { reset: true, rules: [{ enforce: "TRUE" }] } }],
      ["google_org_policy_policy", { spec: { rules: [{ enforce: "TRUE", condition: { expression: "x" } }] } }],
      ["google_org_policy_policy", { dry_run_spec: { rules: [{ enforce: "TRUE" }] } }],
    ],
  },
  labels: {
    passes: [["google_pubsub_topic", { labels: LABELS }]],
    fails: [
      ["google_pubsub_topic", { name: "t" }],
      ["google_pubsub_topic", { labels: { ...LABELS, env: "ephemeral" } }],
    ],
  },
  "bigquery-deletion-protection": {
    passes: [
      [TABLE, { deletion_protection: true }],
      [TABLE, { deletion_protection: false, view: { query: "SELECT 1" } }],
    ],
    fails: [[TABLE, { deletion_protection: false }]],
  },
};

/** A synthesized stack with these resources and nothing else. */
export function stackOfResources(resources: Resources): Record<string, unknown> {
  const types: Record<string, Record<string, unknown>> = {};
  for (const [type, config] of resources) {
    types[type] ??= {};
    const of = types[type];
    const count = Object.keys(of).length;
    of[count === 0 ? "it" : `it${count + 1}`] = config;
  }
  return { resource: types };
}
