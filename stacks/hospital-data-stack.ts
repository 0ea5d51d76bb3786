import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import type { Construct } from "constructs";
import { Annotations, TerraformOutput } from "../constructs/core/cdktf";
import { resourceName } from "../constructs/core/naming";
import { PROJECT_SERVICES, ProjectServices } from "../constructs/core/project-services";
import { deliveryServices } from "../constructs/deliver";
import { Erasure } from "../constructs/erasure";
import { PacsStores, pacsServices } from "../constructs/pacs";
import { acknowledge } from "../constructs/policy";
import { retrainerRole } from "../constructs/retrain";
import { starterRole } from "../constructs/schedule";
import {
  AuditConfig,
  AuditSink,
  Budget,
  HospitalKeys,
  Organisation,
  organisationServices,
} from "../constructs/security";
import { releaserRoles } from "../constructs/serve";
import { allowLogSink, HospitalBuckets } from "../constructs/storage";
import { Warehouse } from "../constructs/warehouse";
import { BaseStack, hospitalSettings, keyChoice } from "./base-stack";
import type { Hospital } from "./config";
import { DeliveryAccess } from "./delivery-access";
import { deliveryMember } from "./delivery-names";
import { logArchiveName, type Platform } from "./platform-config";

/** Why a stack may do without a budget. */
export const NO_BUDGET = 'No line names a "billingAccount": costs are watched by whoever pays, not by this project.';

/**
 * What holds a hospital's data: its project's APIs and audit logs, its budget, its keys, its buckets, its warehouse.
 * Protected, and rarely deployed.
 */
export class HospitalDataStack extends BaseStack {
  constructor(scope: Construct, hospital: Hospital, platform: Platform) {
    const { removal, tier, project } = hospital;
    const { perimeter, orgPolicies } = hospital;
    super(scope, `${hospital.name}-data`, {
      ...hospitalSettings(hospital, "phi"),
      quotaProject: paysForItsCalls(hospital) ? project : undefined,
    });

    // The project of ephemeral environments belongs to none of them: its APIs, audit logs and budget are bootstrap's.
    const services =
      tier === "ephemeral"
        ? []
        : new ProjectServices(this, "services", { project, services: hospitalServices(hospital) }).all;
    if (tier !== "ephemeral") this.addProjectSingletons(hospital, logArchiveName(platform), services);

    if (perimeter || orgPolicies)
      new Organisation(this, "organisation", { hospital, perimeter, orgPolicies, dependsOn: services });

    const keys = new HospitalKeys(this, "keys", {
      hospital,
      removal,
      dependsOn: services,
      ...keyChoice(hospital, platform),
    });
    const storage = new HospitalBuckets(this, "storage", {
      hospital,
      key: keys.data,
      removal,
      keepAnswersDays: hospital.serve.keepDays,
      landingDays: hospital.landingDays,
      dependsOn: services,
    });
    const warehouse = new Warehouse(this, "warehouse", {
      hospital,
      key: keys.data,
      removal,
      readers: hospital.analysts,
      sharedProject: tier === "ephemeral",
      dependsOn: services,
    });

    const pacs = hospital.pacs
      ? new PacsStores(this, "pacs", { hospital, key: keys.data, removal, dependsOn: services })
      : undefined;
    const { erasers } = hospital;
    if (erasers.length > 0)
      new Erasure(this, "erasure", {
        hospital,
        buckets: storage.buckets,
        warehouse,
        pseudonymKey: keys.pseudonym,
        pacs,
        erasers,
        dependsOn: services,
      });
    if (hospital.serve.releasers.length > 0) releaserRoles(this, project, services);
    if (tier !== "ephemeral" && platform.repository)
      new DeliveryAccess(this, "delivery", { hospital, platform, dependsOn: services });
    if (tier === "ephemeral" && hospital.analysts.length > 0)
      Annotations.of(this).addWarning(
        `Environment "${hospital.name}" lets ${hospital.analysts.join(", ")} read its tables, and owns no right on the project that it shares: whoever owns ${project} has to grant them roles/bigquery.jobUser there, or they cannot query.`,
      );

    const output = (name: string, value: unknown, description: string) =>
      new TerraformOutput(this, name, { value, description });
    output(
      "landing_uri",
      storage.buckets.landing.uri,
      "Where scans are uploaded: npm run upload -- --data DIR --bucket <this>",
    );
    output(
      "buckets",
      mapValues(storage.buckets, ({ uri }) => uri),
      "Every bucket, by what it holds",
    );
    output("access_log_bucket", storage.accessLogs.resource.name, "Who accessed what in the other buckets");
    output("dataset", `${project}.${warehouse.dataset.datasetId}`, "The warehouse in BigQuery");
    output(
      "tables",
      mapValues(warehouse.tables, ({ tableId }) => `${project}.${warehouse.dataset.datasetId}.${tableId}`),
      "Every table, as BigQuery's SQL names it",
    );
    if (pacs)
      output(
        "pacs_stores",
        pacs.refs.addresses,
        "Where scans are stored (DICOMweb), and where results are read (FHIR)",
      );
    output("data_key", keys.data.id, "The key that everything is encrypted with");
    output("pseudonym_key", keys.pseudonym.uri, "The key that makes pseudonyms of patients' ids");
  }

  private addProjectSingletons(hospital: Hospital, archive: string, dependsOn: ProjectServices["all"]): void {
    const { project, projectNumber, billingAccount, budget, deployer } = hospital;
    new AuditConfig(this, "audit", { project, dependsOn });
    starterRole(this, project, dependsOn);
    retrainerRole(this, project, dependsOn);
    const sink = new AuditSink(this, "audit-sink", {
      project,
      name: resourceName(hospital, "audit"),
      archive,
      dependsOn,
    });
    // The archive's stack knows no hospital: each lets its own sink in.
    allowLogSink(sink, "archive", archive, sink.writer);
    if (billingAccount)
      new Budget(this, "budget", {
        displayName: `Brain tumour service: ${hospital.name}`,
        billingAccount,
        projectNumber,
        amount: budget,
        dependsOn,
      });
    else acknowledge(this, "budget", NO_BUDGET);
    // The project pays for the calls of this stack then: see quotaProject. The hospital's own identities may, by their roles.
    if (paysForItsCalls(hospital) && deployer && deployer !== deliveryMember(hospital, "deploy"))
      new ProjectIamMember(this, "deployer-uses-apis", {
        project,
        role: "roles/serviceusage.serviceUsageConsumer",
        member: deployer,
        dependsOn: [...dependsOn],
      });
  }
}

/** The Google APIs that a hospital's project needs. */
export function hospitalServices(
  hospital: Pick<Hospital, "perimeter" | "orgPolicies" | "pacs" | "delivery">,
): readonly string[] {
  return [
    ...PROJECT_SERVICES,
    ...organisationServices(hospital),
    ...pacsServices(hospital),
    ...deliveryServices(hospital),
  ];
}

/** Budgets, perimeters and organisation policies answer no caller whose calls nobody pays for. */
const paysForItsCalls = ({ tier, billingAccount, perimeter, orgPolicies }: Hospital) =>
  tier !== "ephemeral" && (billingAccount !== undefined || perimeter !== undefined || orgPolicies);

const mapValues = <V>(values: Readonly<Record<string, V>>, change: (value: V) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
