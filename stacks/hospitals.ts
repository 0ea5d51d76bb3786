import type { HospitalLine } from "./config";

/** One line a hospital: this is the file to edit. What a line may say stands in config.ts. */
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
