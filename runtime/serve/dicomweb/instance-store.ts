import { dicomObject, type ReplacementNames } from "../../intake";
import { DiskError } from "../../platform/disk";
import type { Logger } from "../../platform/logging";
import { type CreatableStore, type ReadableStore, readJson, tryToCreate } from "../../platform/stores";
import type { ExaminedInstance } from "./examine";
import { FAILURE, type FailureReason, type Outcome } from "./outcome";

/** What is remembered of an instance that landed here, below the reports: by its pseudonym. */
export const INSTANCES = "dicomweb/";

/** Where instances land: what comes without a label, and not from the hospital's gateway. */
const FOLDER = "Unlabelled/";

/**
 * Lands instances under their pseudonyms, each once. The process may add to the landing bucket and not read there, so what
 * an instance had for bytes is remembered in the reports.
 */
export class InstanceStore {
  /** What is being done with an instance, by its name: the same one of two requests lands once. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    private readonly landing: CreatableStore,
    private readonly reports: ReadableStore & CreatableStore,
    private readonly log: Pick<Logger, "error">,
  ) {}

  /**
   * Stores one instance; what is wrong with it, or with the bucket, is in the outcome.
   *
   * @param examined the bytes, as {@link examineInstance} finds them
   * @param study the one that it has to be of
   */
  async store(
    bytes: Buffer,
    { instance, of, reason, sha256 }: ExaminedInstance,
    names: ReplacementNames,
    study: string | undefined,
  ): Promise<Outcome> {
    if (!instance || !of) return { instance, study: undefined, reason };
    const place = {
      study: names.uid(of.studyUid),
      series: names.uid(of.seriesUid),
      instance: names.uid(instance.uid),
    };
    if (study !== undefined && study !== of.studyUid)
      return { instance, study: place.study, reason: FAILURE.otherStudy };
    const object = dicomObject(`${FOLDER}${place.instance}`, place);
    const outcome =
      reason ?? (await this.inTurn(place.instance, () => this.land(object, place.instance, bytes, sha256)));
    return { instance, study: place.study, reason: outcome };
  }

  /**
   * What landed is written down after it has: whoever dies between the two leaves an object of which nothing is known, and
   * the instance, sent again, is a duplicate. The other way round another door's object could pass for this one.
   */
  private async land(
    name: string,
    instance: string,
    bytes: Buffer,
    sha256: string,
  ): Promise<FailureReason | undefined> {
    const record = `${INSTANCES}${instance}.json`;
    try {
      const before = await this.remembered(record);
      if (before !== undefined && before !== sha256) return FAILURE.duplicate;
      const landed = await tryToCreate(this.landing, name, bytes, { contentType: "application/dicom" });
      if (landed) {
        await tryToCreate(this.reports, record, JSON.stringify({ sha256 }), { contentType: "application/json" });
        return undefined;
      }
      return before === sha256 || (await this.remembered(record)) === sha256 ? undefined : FAILURE.duplicate;
    } catch (error) {
      this.log.error({ err: error }, "An instance cannot be kept in the landing bucket");
      return error instanceof DiskError ? FAILURE.outOfResources : FAILURE.processing;
    }
  }

  private async remembered(record: string): Promise<string | undefined> {
    if (!(await this.reports.stat(record))) return undefined;
    return ((await readJson(this.reports, record)) as { sha256: string }).sha256;
  }

  private async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.turns.get(name) ?? Promise.resolve()).then(work);
    this.turns.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.turns.get(name) === mine) this.turns.delete(name);
    }
  }
}
