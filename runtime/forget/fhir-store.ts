import type { HealthcareClient } from "../platform/healthcare";
import type { Mentions } from "./mentions";

const FHIR_JSON = "application/fhir+json";
/** What is delivered of an answer. Reports refer to observations, which cannot go before them. */
const TYPES = ["DiagnosticReport", "Observation"] as const;
const PAGE = 500;
const AT_A_TIME = 8;

interface Bundle {
  readonly entry?: readonly { readonly resource?: { readonly resourceType?: string; readonly id?: string } }[];
  readonly link?: readonly { readonly relation?: string; readonly url?: string }[];
}

/**
 * A FHIR store of the Cloud Healthcare API, as far as it is erased: what is deleted is kept as an earlier version until that
 * is purged too. https://cloud.google.com/healthcare-api/docs/how-tos/fhir-resources
 */
export class ErasableFhirStore {
  /** @param name `projects/P/locations/L/datasets/D/fhirStores/S` */
  constructor(
    private readonly client: HealthcareClient,
    private readonly name: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Resources that speak of it, as `Type/id`, in the order in which they can go. */
  async mentioning(mentions: Mentions): Promise<readonly string[]> {
    const found: string[] = [];
    for (const type of TYPES) {
      // Read whole: an answer is found by whatever it says of a scan, and no server searches by all of that.
      for (let path: string | undefined = `${this.name}/fhir/${type}?_count=${PAGE}`; path !== undefined; ) {
        const { status, json } = await this.client.ask("GET", path, FHIR_JSON, this.signal);
        if (status === 404 || status === 410)
          throw new Error(`There is no FHIR store ${this.name}: give the region of the hospital's line.`);
        const { entry = [], link = [] } = (json ?? {}) as Bundle;
        for (const { resource } of entry)
          if (resource?.resourceType === type && RESOURCE.test(`${type}/${resource.id}`))
            if (mentions.in(JSON.stringify(resource))) found.push(`${type}/${resource.id}`);
        const next: string | undefined = link.find(({ relation }) => relation === "next")?.url;
        path = next === undefined ? undefined : this.client.pathOf(next);
      }
    }
    return found;
  }

  /** Deletes resources with all their versions; those that are gone already lose what is left of them. */
  async erase(resources: readonly string[]): Promise<void> {
    for (const type of TYPES) {
      const left = resources.filter((one) => one.startsWith(`${type}/`) && RESOURCE.test(one));
      const work = async () => {
        for (let one = left.pop(); one !== undefined; one = left.pop()) {
          const path = `${this.name}/fhir/${one}`;
          await this.client.ask("DELETE", path, FHIR_JSON, this.signal);
          await this.client.ask("DELETE", `${path}/$purge`, FHIR_JSON, this.signal);
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, work));
    }
  }
}

const RESOURCE = /^[A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/;
