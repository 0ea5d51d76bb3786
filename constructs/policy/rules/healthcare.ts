import { resourceRule } from "../rule";
import { block, isGiven, record } from "../stack-document";

const STORES = /^google_healthcare_(?:dataset|dicom_store|fhir_store)$/;

export const healthcareRules = [
  resourceRule(
    {
      id: "healthcare-dataset-cmek",
      severity: "high",
      title:
        "A dataset of the Cloud Healthcare API is encrypted with the hospital's key, which it can be at creation alone.",
      checkov: [],
      cis: [],
      remedy: "Set encryption_spec.kms_key_name, after the grant of the service agent on the key.",
    },
    ["google_healthcare_dataset"],
    ({ config }) =>
      isGiven(block(config, "encryption_spec").kms_key_name) ? undefined : "encryption_spec.kms_key_name is missing",
  ),
  resourceRule(
    {
      id: "healthcare-prevent-destroy",
      severity: "high",
      title:
        "A dataset or store of the Cloud Healthcare API cannot be destroyed by a plan: there is no version and no soft delete of one.",
      checkov: [],
      cis: [],
      remedy:
        "Set lifecycle.prevent_destroy = true, or acknowledge it where the hospital's line says removal: destroy.",
    },
    STORES,
    ({ config }) =>
      record(block(config, "lifecycle")).prevent_destroy === true ? undefined : "lifecycle.prevent_destroy is not true",
  ),
  resourceRule(
    {
      id: "healthcare-store-grants",
      severity: "high",
      title: "Rights on scans and results are given on the one store, not on the dataset.",
      checkov: [],
      cis: [],
      remedy: "Use google_healthcare_dicom_store_iam_member or google_healthcare_fhir_store_iam_member.",
    },
    /^google_healthcare_dataset_iam_/,
    () => "it opens every store of the dataset",
  ),
  resourceRule(
    {
      id: "healthcare-fhir-versions",
      severity: "medium",
      title: "A FHIR store keeps what a resource said before.",
      checkov: [],
      cis: [],
      remedy: "Leave disable_resource_versioning at false.",
    },
    ["google_healthcare_fhir_store"],
    ({ config }) => (config.disable_resource_versioning === true ? "disable_resource_versioning is true" : undefined),
  ),
];
