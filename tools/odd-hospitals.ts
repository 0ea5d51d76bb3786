import { GPUS } from "../constructs/core/region-list";
import type { HospitalLine } from "../stacks/config";

/** One for each kind of GPU, Spot and not. */
const withGpus: readonly HospitalLine[] = GPUS.map((gpu, index) => ({
  name: `gpu-${gpu.replace(/^nvidia-(?:tesla-)?/, "")}`,
  tier: "test",
  project: `example-gpu-${index + 1}`,
  projectNumber: `20000000000${index + 1}`,
  region: "us-central1",
  removal: "destroy",
  train: { gpu, spot: index % 2 === 0 },
}));

const RING = "projects/example-keys/locations/europe-west1/keyRings/hospitals/cryptoKeys";

/**
 * Hospitals that are not like the others: whatever a line may say is said by one of them. A key that is added to the line
 * belongs into `everyOverride` at least.
 */
export const ODD_HOSPITALS: readonly HospitalLine[] = [
  ...withGpus,
  {
    // As long as names of buckets, accounts and clusters allow.
    name: "universitaetsklinikum-nordost",
    tier: "prod",
    project: "mri-long-project-id",
    projectNumber: "999999999999999",
    region: "northamerica-northeast1",
  },
  { name: "aa", tier: "prod", project: "mri-aa", projectNumber: "300001", region: "asia-east1", alertEmails: [] },
  everyOverride(),
  {
    // Keys that somebody else keeps.
    name: "own-keys",
    tier: "prod",
    project: "example-own-keys",
    projectNumber: "400000000001",
    region: "europe-west1",
    kmsKey: `${RING}/data`,
    pseudonymKey: `${RING}/pseudonyms/cryptoKeyVersions/7`,
    auditKey: `${RING}/audits/cryptoKeyVersions/2`,
  },
  {
    // One of both.
    name: "own-key",
    tier: "test",
    project: "example-own-key",
    projectNumber: "400000000002",
    region: "europe-west1",
    kmsKey: `${RING}/data`,
  },
  {
    // Twenty ways out, and the smallest of networks.
    name: "many-exits",
    tier: "test",
    project: "example-many-exits",
    projectNumber: "400000000003",
    region: "me-west1",
    removal: "destroy",
    network: {
      cidr: "192.168.255.0/24",
      egress: Array.from({ length: 20 }, (_none, index) => ({
        name: `exit-${index}`,
        cidr: `198.51.${100 + index}.0/24`,
        ports: [443, 104 + index],
      })),
    },
  },
  {
    // A subnet of somebody else's.
    name: "shared-vpc",
    tier: "test",
    project: "example-shared",
    projectNumber: "400000000005",
    region: "europe-west4",
    removal: "destroy",
    network: { shared: { project: "example-host", network: "spokes", subnet: "hospitals" } },
  },
  {
    // A page that one department opens.
    name: "door",
    tier: "test",
    project: "example-door",
    projectNumber: "400000000004",
    region: "europe-west3",
    serve: {
      domain: "d.example.org",
      viewers: ["user:a@example.org", "group:b@example.org", "domain:example.org"],
      clinicians: ["user:a@example.org", "serviceAccount:gateway@example-door.iam.gserviceaccount.com"],
      admins: ["user:A.Head+mri@example.org"],
      keepDays: 7,
      prevalence: 0.04,
      allowedRanges: ["198.51.100.0/24", "203.0.113.128/25"],
    },
  },
  {
    // Beside the environment of CI_ENV_ID, an ephemeral line of its own.
    name: "pr-4711",
    tier: "ephemeral",
    project: "example-ci",
    projectNumber: "100000000003",
    region: "europe-west4",
    expiresAt: "2027-12-31",
  },
];

function everyOverride(): HospitalLine {
  return {
    name: "every-override",
    tier: "prod",
    project: "example-every",
    projectNumber: "500000000001",
    region: "southamerica-east1",
    owner: "radiology_1",
    removal: "retain",
    stateBucket: "example-states",
    billingAccount: "ABCDEF-012345-6789AB",
    budget: 10_000_000,
    alertEmails: ["a@example.org", "b@example.org"],
    perimeter: "accessPolicies/1234567890/servicePerimeters/hospitals",
    orgPolicies: true,
    wave: 5,
    usageLogs: false,
    landingDays: 365,
    objectives: { availability: 99.9, latency: 99, latencySeconds: 0.5, freshness: 95, freshnessMinutes: 1440 },
    analysts: [
      "group:analysts@example.org",
      "user:c@example.org",
      "serviceAccount:bi@example-bi.iam.gserviceaccount.com",
    ],
    deployer: "serviceAccount:deploy@example-every.iam.gserviceaccount.com",
    network: { cidr: "172.31.0.0/16", egress: [{ name: "vna", cidr: "192.0.2.16/28", ports: [104, 11112] }] },
    ingest: { burnedInText: "quarantine-all", maxInstances: 1000 },
    erasers: ["group:privacy@example.org", "user:officer@example.org"],
    pacs: "healthcare-api",
    pacsSenders: ["serviceAccount:dicom-adapter@example-every.iam.gserviceaccount.com", "group:pacs@example.org"],
    delivery: {
      to: "https://archive.example.org:8443/dicom-web/studies",
      format: "sc",
      addresses: ["203.0.113.7/32", "198.51.100.0/24"],
      signingKey: "secrets/delivery-signing-key/versions/3",
      oauth2: {
        signInUrl: "https://login.example.org/oauth2/token",
        clientId: "brain-tumor",
        clientSecret: "secrets/delivery-client/versions/1",
        scope: "system/*.write studies",
      },
      mtls: { certificate: "secrets/delivery-certificate/versions/1", key: "secrets/delivery-key/versions/1" },
      ca: "secrets/delivery-ca/versions/1",
      cidr: "10.99.0.0/28",
    },
    gateway: {
      principal:
        "principal://iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/hospital/subject/gateway",
    },
    preprocess: { maxSpotWorkers: 200 },
    features: { backbone: "gs://example-every-every-override-models/backbones/resnet-50" },
    schedule: { daily: "59 23 */7 1-12 0,6", sealing: "0 */12 * * 1-5", timeZone: "America/Argentina/Buenos_Aires" },
    train: { gpu: "nvidia-tesla-t4", spot: true, zones: ["southamerica-east1-c"] },
    serve: {
      maxInstances: 1000,
      domain: "a-very-long-name-of-a-department.of-a-hospital.example.org",
      viewers: ["group:radiology@example.org"],
      clinicians: ["domain:radiology.example.org"],
      admins: ["user:head@radiology.example.org"],
      releasers: ["group:ml-operations@example.org"],
      keepDays: 3650,
      allowedRanges: ["10.0.0.0/8"],
    },
  };
}
