import { isUid, patientIdOf } from "../imaging";
import type { Identities } from "../intake";
import type { HealthcareClient } from "../platform/healthcare";
import type { Wanted } from "./find";

/** UIDs as the hospital gave them. */
interface StoredInstance {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

const DICOM_JSON = "application/dicom+json";
const TAG = { patient: "00100020", study: "0020000D", series: "0020000E", instance: "00080018" } as const;
type Attributes = Readonly<Record<string, { readonly Value?: readonly unknown[] } | undefined>>;

/** Of one answer to a search. */
const PAGE = 1000;
/** Instances that are deleted at a time. */
const AT_A_TIME = 8;
/** Searches that may go on telling of what was deleted, and milliseconds between two. */
const STALE = { searches: 10, pause: 1000 };

/**
 * A DICOM store of the Cloud Healthcare API, as far as it is erased: QIDO-RS (PS3.18, 10.6), and DELETE of instances, which
 * is done once it is answered. https://cloud.google.com/healthcare-api/docs/dicom
 */
export class ErasableDicomStore {
  /** @param name `projects/P/locations/L/datasets/D/dicomStores/S` */
  constructor(
    private readonly client: HealthcareClient,
    private readonly name: string,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Deletes the instances of a patient, by the id in their headers, or the one that landed under the pseudonyms of a name.
   *
   * @returns how many there were
   */
  async erase(wanted: Wanted, identities: Identities, dry: boolean): Promise<number> {
    if ("source" in wanted) {
      const found = await this.landedAs(wanted.source, identities);
      if (found && !dry) await this.delete([found]);
      return found ? 1 : 0;
    }
    const patient = wanted.patient.trim();
    // Strangers share what stands for nobody.
    if (patientIdOf(patient) === undefined) return 0;
    const found = new Set<string>();
    for (let stale = 0; ; ) {
      const own = await this.ofPatient(patient);
      const fresh = own.filter((one) => !found.has(pathOf(one)));
      for (const one of fresh) found.add(pathOf(one));
      if (own.length === 0 || dry) return found.size;
      await this.delete(own);
      if (fresh.length > 0) continue;
      if (++stale === STALE.searches)
        throw new Error(`The DICOM store still tells of ${own.length} instances after they were deleted.`);
      await new Promise((resolve) => setTimeout(resolve, STALE.pause));
    }
  }

  /** Those that a search finds, the id being the very same. */
  private async ofPatient(patient: string): Promise<readonly StoredInstance[]> {
    const own: StoredInstance[] = [];
    const query = `instances?PatientID=${encodeURIComponent(patient)}&includefield=${TAG.patient}&limit=${PAGE}`;
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.search(`${query}&offset=${offset}`);
      own.push(...page.filter((one) => textOf(one, TAG.patient) === patient).flatMap(instanceOf));
      if (page.length < PAGE) return own;
    }
  }

  /** The instance that is called by a name below landing: one study after the other is compared by its pseudonym. */
  private async landedAs(source: string, identities: Identities): Promise<StoredInstance | undefined> {
    const [, study, series, instance] = LANDED.exec(source) ?? [];
    if (study === undefined) return undefined;
    const { uid } = await identities.of(undefined);
    const matching = async (path: string, tag: string, pseudonym: string | undefined) => {
      for (let offset = 0; ; offset += PAGE) {
        const page = await this.search(`${path}?limit=${PAGE}&offset=${offset}`);
        const found = page.map((one) => textOf(one, tag)).find((text) => text !== undefined && uid(text) === pseudonym);
        if (found !== undefined && isUid(found)) return found;
        if (page.length < PAGE) return undefined;
      }
    };
    const studyUid = await matching("studies", TAG.study, study);
    if (studyUid === undefined) return undefined;
    const seriesUid = await matching(`studies/${studyUid}/series`, TAG.series, series);
    if (seriesUid === undefined) return undefined;
    const path = `studies/${studyUid}/series/${seriesUid}/instances`;
    const instanceUid = await matching(path, TAG.instance, instance);
    return instanceUid === undefined ? undefined : { study: studyUid, series: seriesUid, instance: instanceUid };
  }

  private async search(query: string): Promise<readonly Attributes[]> {
    const { status, json } = await this.client.ask("GET", `${this.name}/dicomWeb/${query}`, DICOM_JSON, this.signal);
    if (status !== 404 && status !== 410) return Array.isArray(json) ? (json as Attributes[]) : [];
    throw new Error(`There is no DICOM store ${this.name}: give the region of the hospital's line.`);
  }

  private async delete(instances: readonly StoredInstance[]): Promise<void> {
    const left = [...instances];
    const work = async () => {
      for (let one = left.pop(); one; one = left.pop())
        await this.client.ask("DELETE", `${this.name}/dicomWeb/${pathOf(one)}`, DICOM_JSON, this.signal);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  }
}

/** What an instance of the store is called below landing: see `runtime/pacs/land.ts`. */
const LANDED = /^Unlabelled\/(2\.25\.\d+)\/(2\.25\.\d+)\/(2\.25\.\d+)(?:-[0-9a-f]{16})?\.dcm$/;

const pathOf = ({ study, series, instance }: StoredInstance) =>
  `studies/${study}/series/${series}/instances/${instance}`;

function textOf(attributes: Attributes, tag: string): string | undefined {
  const [value] = attributes[tag]?.Value ?? [];
  return typeof value === "string" ? value.trim() : undefined;
}

function instanceOf(attributes: Attributes): StoredInstance[] {
  const [study, series, instance] = [TAG.study, TAG.series, TAG.instance].map((tag) => textOf(attributes, tag) ?? "");
  // They become a path.
  return [study, series, instance].every((uid) => isUid(uid as string))
    ? [{ study, series, instance } as StoredInstance]
    : [];
}
