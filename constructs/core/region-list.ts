/** Accelerators that a training machine may have, by Compute Engine's names. https://cloud.google.com/compute/docs/gpus */
export const GPUS = [
  "nvidia-l4",
  "nvidia-tesla-t4",
  "nvidia-tesla-a100",
  "nvidia-a100-80gb",
  "nvidia-h100-80gb",
] as const;
export type Gpu = (typeof GPUS)[number];

export interface ListedRegion {
  readonly place: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Latitude and longitude, degrees, to a tenth: distances are good to some ten kilometres. */
  readonly at: readonly [latitude: number, longitude: number];
  /**
   * The zones that have machines with one such GPU (an A2, A3 or G2 machine, or an N1 machine with a T4), by the last letter
   * of their names.
   */
  readonly gpus: Readonly<Partial<Record<Gpu, string>>>;
}

/** YYYY-MM */
export const REGIONS_AS_OF = "2026-11";

/**
 * Google's regions and their GPUs. What Google says itself:
 * - https://cloud.google.com/compute/docs/regions-zones
 * - https://cloud.google.com/compute/docs/gpus/gpu-regions-zones
 * - https://cloud.google.com/run/docs/locations, https://cloud.google.com/functions/docs/locations,
 *   https://cloud.google.com/dataproc/docs/concepts/regional-endpoints
 *
 * These pages could not be read when the list was made. Zones, machine types and GPUs are those that Compute Engine's API
 * names, as the SkyPilot catalog keeps them (https://github.com/skypilot-org/skypilot-catalog, catalogs/v8/gcp/vms.csv);
 * coordinates are those of the towns. Not confirmed: the T4 zones of asia-east1 and asia-east2; that Cloud Run, Cloud
 * Functions and Dataproc are in the newest regions (asia-southeast3, europe-north2, northamerica-south1), as they are in
 * all others; that a project may use me-central2, which Google opens on request. That a zone has a GPU says nothing about
 * quota or about one being free.
 */
export const REGIONS: Readonly<Record<string, ListedRegion>> = {
  "africa-south1": { place: "Johannesburg, South Africa", country: "ZA", at: [-26.2, 28.0], gpus: {} },
  "asia-east1": {
    place: "Changhua County, Taiwan",
    country: "TW",
    at: [24.0, 120.5],
    gpus: { "nvidia-tesla-t4": "ac", "nvidia-l4": "abc", "nvidia-h100-80gb": "c" },
  },
  "asia-east2": { place: "Hong Kong", country: "HK", at: [22.3, 114.2], gpus: { "nvidia-tesla-t4": "ac" } },
  "asia-northeast1": {
    place: "Tokyo, Japan",
    country: "JP",
    at: [35.7, 139.7],
    gpus: { "nvidia-tesla-t4": "ac", "nvidia-l4": "abc", "nvidia-tesla-a100": "ac", "nvidia-h100-80gb": "b" },
  },
  "asia-northeast2": { place: "Osaka, Japan", country: "JP", at: [34.7, 135.5], gpus: {} },
  "asia-northeast3": {
    place: "Seoul, South Korea",
    country: "KR",
    at: [37.6, 127.0],
    gpus: { "nvidia-tesla-t4": "bc", "nvidia-l4": "ab", "nvidia-tesla-a100": "ab" },
  },
  "asia-south1": {
    place: "Mumbai, India",
    country: "IN",
    at: [19.1, 72.9],
    gpus: { "nvidia-tesla-t4": "ab", "nvidia-l4": "abc", "nvidia-h100-80gb": "c" },
  },
  "asia-south2": { place: "Delhi, India", country: "IN", at: [28.7, 77.1], gpus: { "nvidia-h100-80gb": "b" } },
  "asia-southeast1": {
    place: "Jurong West, Singapore",
    country: "SG",
    at: [1.4, 103.8],
    gpus: {
      "nvidia-tesla-t4": "abc",
      "nvidia-l4": "abc",
      "nvidia-tesla-a100": "abc",
      "nvidia-a100-80gb": "c",
      "nvidia-h100-80gb": "bc",
    },
  },
  "asia-southeast2": {
    place: "Jakarta, Indonesia",
    country: "ID",
    at: [-6.2, 106.8],
    gpus: { "nvidia-tesla-t4": "ab" },
  },
  "asia-southeast3": { place: "Bangkok, Thailand", country: "TH", at: [13.8, 100.5], gpus: {} },
  "australia-southeast1": {
    place: "Sydney, Australia",
    country: "AU",
    at: [-33.9, 151.2],
    gpus: { "nvidia-tesla-t4": "ac", "nvidia-h100-80gb": "c" },
  },
  "australia-southeast2": { place: "Melbourne, Australia", country: "AU", at: [-37.8, 145.0], gpus: {} },
  "europe-central2": { place: "Warsaw, Poland", country: "PL", at: [52.2, 21.0], gpus: { "nvidia-tesla-t4": "bc" } },
  "europe-north1": { place: "Hamina, Finland", country: "FI", at: [60.5, 27.1], gpus: { "nvidia-h100-80gb": "c" } },
  "europe-north2": { place: "Stockholm, Sweden", country: "SE", at: [60.3, 16.4], gpus: {} },
  "europe-southwest1": { place: "Madrid, Spain", country: "ES", at: [40.5, -3.3], gpus: {} },
  "europe-west1": {
    place: "St. Ghislain, Belgium",
    country: "BE",
    at: [50.5, 3.9],
    gpus: { "nvidia-tesla-t4": "bcd", "nvidia-l4": "bc", "nvidia-h100-80gb": "bc" },
  },
  "europe-west2": {
    place: "London, United Kingdom",
    country: "GB",
    at: [51.5, -0.1],
    gpus: { "nvidia-tesla-t4": "ab", "nvidia-l4": "ab" },
  },
  "europe-west3": {
    place: "Frankfurt, Germany",
    country: "DE",
    at: [50.1, 8.7],
    gpus: { "nvidia-tesla-t4": "b", "nvidia-l4": "ab", "nvidia-h100-80gb": "c" },
  },
  "europe-west4": {
    place: "Eemshaven, the Netherlands",
    country: "NL",
    at: [53.4, 6.9],
    gpus: {
      "nvidia-tesla-t4": "abc",
      "nvidia-l4": "abc",
      "nvidia-tesla-a100": "ab",
      "nvidia-a100-80gb": "a",
      "nvidia-h100-80gb": "bc",
    },
  },
  "europe-west6": { place: "Zurich, Switzerland", country: "CH", at: [47.4, 8.5], gpus: { "nvidia-l4": "bc" } },
  "europe-west8": { place: "Milan, Italy", country: "IT", at: [45.5, 9.2], gpus: { "nvidia-h100-80gb": "c" } },
  "europe-west9": { place: "Paris, France", country: "FR", at: [48.9, 2.3], gpus: { "nvidia-h100-80gb": "c" } },
  "europe-west10": { place: "Berlin, Germany", country: "DE", at: [52.3, 13.6], gpus: {} },
  "europe-west12": { place: "Turin, Italy", country: "IT", at: [45.1, 7.7], gpus: {} },
  "me-central1": { place: "Doha, Qatar", country: "QA", at: [25.2, 51.5], gpus: {} },
  "me-central2": { place: "Dammam, Saudi Arabia", country: "SA", at: [26.4, 49.7], gpus: { "nvidia-l4": "ac" } },
  "me-west1": {
    place: "Tel Aviv, Israel",
    country: "IL",
    at: [32.1, 34.8],
    gpus: { "nvidia-tesla-t4": "bc", "nvidia-tesla-a100": "ac" },
  },
  "northamerica-northeast1": {
    place: "Montreal, Canada",
    country: "CA",
    at: [45.5, -73.6],
    gpus: { "nvidia-tesla-t4": "c", "nvidia-l4": "bc" },
  },
  "northamerica-northeast2": {
    place: "Toronto, Canada",
    country: "CA",
    at: [43.7, -79.4],
    gpus: { "nvidia-l4": "ab" },
  },
  "northamerica-south1": { place: "Queretaro, Mexico", country: "MX", at: [20.6, -100.4], gpus: {} },
  "southamerica-east1": {
    place: "Osasco, Brazil",
    country: "BR",
    at: [-23.5, -46.8],
    gpus: { "nvidia-tesla-t4": "abc" },
  },
  "southamerica-west1": { place: "Santiago, Chile", country: "CL", at: [-33.4, -70.7], gpus: {} },
  "us-central1": {
    place: "Council Bluffs, Iowa",
    country: "US",
    at: [41.2, -95.9],
    gpus: {
      "nvidia-tesla-t4": "abcf",
      "nvidia-l4": "abc",
      "nvidia-tesla-a100": "abcf",
      "nvidia-a100-80gb": "ac",
      "nvidia-h100-80gb": "abc",
    },
  },
  "us-east1": {
    place: "Moncks Corner, South Carolina",
    country: "US",
    at: [33.2, -80.0],
    gpus: { "nvidia-tesla-t4": "bcd", "nvidia-l4": "bcd", "nvidia-tesla-a100": "b" },
  },
  "us-east4": {
    place: "Ashburn, Virginia",
    country: "US",
    at: [39.0, -77.5],
    gpus: { "nvidia-tesla-t4": "abc", "nvidia-l4": "ac", "nvidia-a100-80gb": "c", "nvidia-h100-80gb": "abc" },
  },
  "us-east5": {
    place: "Columbus, Ohio",
    country: "US",
    at: [40.0, -83.0],
    gpus: { "nvidia-a100-80gb": "ab", "nvidia-h100-80gb": "a" },
  },
  "us-south1": { place: "Dallas, Texas", country: "US", at: [32.8, -96.8], gpus: {} },
  "us-west1": {
    place: "The Dalles, Oregon",
    country: "US",
    at: [45.6, -121.2],
    gpus: { "nvidia-tesla-t4": "ab", "nvidia-l4": "abc", "nvidia-tesla-a100": "b", "nvidia-h100-80gb": "ab" },
  },
  "us-west2": {
    place: "Los Angeles, California",
    country: "US",
    at: [34.1, -118.2],
    gpus: { "nvidia-tesla-t4": "bc" },
  },
  "us-west3": {
    place: "Salt Lake City, Utah",
    country: "US",
    at: [40.8, -111.9],
    gpus: { "nvidia-tesla-t4": "b", "nvidia-tesla-a100": "b" },
  },
  "us-west4": {
    place: "Las Vegas, Nevada",
    country: "US",
    at: [36.1, -115.0],
    gpus: { "nvidia-tesla-t4": "ab", "nvidia-l4": "ac", "nvidia-tesla-a100": "b", "nvidia-h100-80gb": "a" },
  },
};
