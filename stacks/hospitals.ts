import type { HospitalLine } from "./config";
import type { PlatformLine } from "./platform-config";

/** What all hospitals share. What this may say stands in docs/configuration.md. */
export const platform: PlatformLine = {
  project: "bts-platform",
  projectNumber: "305817264490",
  region: "europe-west4",
  repository: "example-clinic/brain-tumor-stack",
  ci: { project: "bts-ci", projectNumber: "918273645501" },
};

/** One line a hospital: this is the file to edit. What a line may say stands in docs/configuration.md. */
export const hospitals: HospitalLine[] = [
  { name: "st-anna", tier: "prod", project: "bts-st-anna", projectNumber: "483920174655", region: "europe-west4" },
  {
    name: "sandbox",
    tier: "test",
    project: "bts-sandbox",
    projectNumber: "716204983311",
    region: "europe-west4",
    removal: "destroy",
  },
];
