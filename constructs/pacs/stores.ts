import { HealthcareDataset } from "@cdktf/provider-google/lib/healthcare-dataset";
import { HealthcareDicomStore } from "@cdktf/provider-google/lib/healthcare-dicom-store";
import { HealthcareDicomStoreIamMember } from "@cdktf/provider-google/lib/healthcare-dicom-store-iam-member";
import { HealthcareFhirStore } from "@cdktf/provider-google/lib/healthcare-fhir-store";
import { HealthcareFhirStoreIamMember } from "@cdktf/provider-google/lib/healthcare-fhir-store-iam-member";
import { PubsubTopicIamMember } from "@cdktf/provider-google/lib/pubsub-topic-iam-member";
import { Construct } from "constructs";
import { HEALTHCARE_ROOT, healthcareStores } from "../../runtime/platform/healthcare";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName, shortHash } from "../core/naming";
import { projectRoleIn } from "../core/project-role";
import { type Removal, removalPolicy } from "../core/removal";
import { serviceAgentMember } from "../core/service-agents";
import { hospitalTopic } from "../ingest";
import { acknowledge } from "../policy";
import { type EncryptionKey, KeyAgentGrants } from "../security";

/** https://cloud.google.com/healthcare-api/docs/concepts/fhir */
export type FhirVersion = "R4";

/** Roles of the hospital's project, each of one purpose. https://cloud.google.com/healthcare-api/docs/access-control */
const ROLES = {
  send: {
    id: "brainTumorDicomSender",
    title: "Stores into a DICOM store",
    description: "Adds instances; reads, replaces and deletes none",
    permissions: ["healthcare.dicomStores.dicomWebWrite"],
  },
  retrieve: {
    id: "brainTumorDicomRetriever",
    title: "Retrieves from a DICOM store",
    description: "Reads instances; exports, adds and deletes none",
    permissions: ["healthcare.dicomStores.dicomWebRead"],
  },
  deliver: {
    id: "brainTumorResultWriter",
    title: "Delivers results to a FHIR store",
    description: "Creates what is not there yet, which takes a search; changes and deletes nothing",
    permissions: [
      "healthcare.fhirResources.create",
      "healthcare.fhirStores.executeBundle",
      "healthcare.fhirStores.searchResources",
    ],
  },
} as const;

/** A hospital's stores by their names alone, and every permission on them: on the one store, additively. */
export class PacsRefs {
  /** `projects/P/locations/L/datasets/D/dicomStores/S` */
  readonly dicomStore: string;
  /** `projects/P/locations/L/datasets/D/fhirStores/S` */
  readonly fhirStore: string;
  /** `projects/P/topics/T`: hears of every instance. */
  readonly topic: string;

  constructor(private readonly hospital: HospitalRef) {
    const stores = healthcareStores(hospital);
    this.dicomStore = stores.dicom;
    this.fhirStore = stores.fhir;
    this.topic = `projects/${hospital.project}/topics/${topicName(hospital)}`;
  }

  /** URLs of both stores, for whoever stores and reads. */
  get addresses(): { readonly dicom_web: string; readonly fhir: string } {
    return {
      dicom_web: `${HEALTHCARE_ROOT}/v1/${this.dicomStore}/dicomWeb`,
      fhir: `${HEALTHCARE_ROOT}/v1/${this.fhirStore}/fhir`,
    };
  }

  /** Read instances, by DICOMweb. */
  grantRetrieve(grantee: Identity): readonly ITerraformDependable[] {
    return [this.onDicom(grantee, "retrieve-dicom", grantee.member, "retrieve")];
  }

  /**
   * Store instances.
   * @param dependsOn what has to be there before the first of them comes
   */
  grantSend(scope: Construct, member: string, dependsOn: readonly ITerraformDependable[]): void {
    this.onDicom(scope, `send-${shortHash(member)}`, member, "send", dependsOn);
  }

  /** Create results. */
  grantDeliver(grantee: Identity): readonly ITerraformDependable[] {
    const member = new HealthcareFhirStoreIamMember(grantee, "deliver-fhir", {
      fhirStoreId: this.fhirStore,
      role: this.role("deliver"),
      member: grantee.member,
    });
    return [member];
  }

  private onDicom(
    scope: Construct,
    id: string,
    member: string,
    purpose: "send" | "retrieve",
    dependsOn: readonly ITerraformDependable[] = [],
  ): ITerraformDependable {
    const role = this.role(purpose);
    return new HealthcareDicomStoreIamMember(scope, id, {
      dicomStoreId: this.dicomStore,
      role,
      member,
      ...(dependsOn.length > 0 ? { dependsOn: [...dependsOn] } : {}),
    });
  }

  private role(purpose: keyof typeof ROLES): string {
    return `projects/${this.hospital.project}/roles/${ROLES[purpose].id}`;
  }
}

/** The last part of a resource's name. */
const lastOf = (name: string) => name.slice(name.lastIndexOf("/") + 1);
const datasetOf = (store: string) => lastOf(store.replace(/\/dicomStores\/.*$/, ""));
/** Also of its topic of dead letters, which the app stack has. */
export const TOPIC = "pacs";
const topicName = (hospital: HospitalRef) => resourceName(hospital, TOPIC);

export interface PacsStoresProps {
  readonly hospital: HospitalRef;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * A dataset of the Cloud Healthcare API, encrypted with the hospital's key, with a DICOM store whose topic hears of every
 * instance, and a FHIR store for results.
 */
export class PacsStores extends Construct {
  readonly refs: PacsRefs;
  /** What has to be there before anybody is let into a store of this stack. */
  readonly ready: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, { hospital, key, removal, dependsOn = [] }: PacsStoresProps) {
    super(scope, id);
    this.refs = new PacsRefs(hospital);
    const { lifecycle } = removalPolicy(removal);
    const mayEncrypt = new KeyAgentGrants(this, "agents", {
      hospital,
      keyId: key.id,
      agents: ["healthcare"],
      dependsOn: [...dependsOn, ...key.ready],
    }).all;
    const dataset = new HealthcareDataset(this, "dataset", {
      project: hospital.project,
      location: hospital.region,
      name: datasetOf(this.refs.dicomStore),
      timeZone: "UTC",
      // At creation alone: a dataset's key can never be changed.
      encryptionSpec: { kmsKeyName: key.id },
      dependsOn: [...mayEncrypt],
      ...lifecycle,
    });
    dataset.overrideLogicalId("pacs");

    const topic = hospitalTopic(this, "topic", { hospital, name: topicName(hospital), key, removal });
    topic.overrideLogicalId("pacs");
    const mayPublish = new PubsubTopicIamMember(this, "healthcare-publishes", {
      project: hospital.project,
      topic: topic.name,
      role: "roles/pubsub.publisher",
      member: serviceAgentMember(hospital, "healthcare"),
    });
    const dicom = new HealthcareDicomStore(this, "dicom", {
      dataset: dataset.id,
      name: lastOf(this.refs.dicomStore),
      // An import from a bucket comes the same way as what is sent.
      notificationConfig: { pubsubTopic: topic.id, sendForBulkImport: true },
      labels: dataClass("phi"),
      // Without the right to publish, storing fails.
      dependsOn: [mayPublish],
      ...lifecycle,
    });
    dicom.overrideLogicalId("pacs_dicom");
    const fhir = new HealthcareFhirStore(this, "fhir", {
      dataset: dataset.id,
      name: lastOf(this.refs.fhirStore),
      version: "R4" satisfies FhirVersion,
      // What was said of a patient stays visible after it is said anew.
      disableResourceVersioning: false,
      disableReferentialIntegrity: false,
      enableUpdateCreate: false,
      // A search that is not understood finds nothing, and not everything.
      defaultSearchHandlingStrict: true,
      labels: dataClass("phi"),
      ...lifecycle,
    });
    fhir.overrideLogicalId("pacs_fhir");
    this.ready = [dicom, fhir];
    if (removal === "destroy")
      for (const kept of [dataset, dicom, fhir])
        acknowledge(kept, "healthcare-prevent-destroy", "The hospital's line lets a destroy take its data along.");

    for (const [purpose, { id: roleId, title, description, permissions }] of Object.entries(ROLES))
      projectRoleIn(this, `role-${purpose}`, hospital.project, { roleId, title, description, permissions }, dependsOn);
  }
}
