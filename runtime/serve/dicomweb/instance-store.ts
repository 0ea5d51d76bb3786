import { createHash } from "node:crypto";
import { checkDicom, isDicom, RejectedImage, readDicomHeader } from "../../imaging";
import { dicomObject, type ReplacementNames } from "../../intake";
import { DiskError } from "../../platform/disk";
import type { Logger } from "../../platform/logging";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../../platform/stores";
import { FAILURE, type FailureReason, type Outcome, reasonOf } from "./outcome";

/** What is remembered of an instance that landed here, below the reports: by its pseudonym. */
export const INSTANCES = "dicomweb/";

/** Where instances land: what comes without a label, and not from the hospital's gateway. */
const FOLDER = "Unlabelled/";

/** PS3.5, 9.1. */
const UID = /^[0-9.]{1,64}$/;

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
   * @param study the one that it has to be of
   */
  async store(bytes: Buffer, names: ReplacementNames, study: string | undefined): Promise<Outcome> {
    const nameless = (reason: FailureReason): Outcome => ({ instance: undefined, study: undefined, reason });
    if (!isDicom(bytes)) return nameless(FAILURE.notUnderstood);
    const { sopClass, studyUid, seriesUid, instanceUid } = readDicomHeader(bytes);
    if (sopClass === undefined || instanceUid === undefined) return nameless(FAILURE.noStorageInstance);
    if (![sopClass, instanceUid].every((uid) => UID.test(uid))) return nameless(FAILURE.noStorageInstance);
    const instance = { sopClass, uid: instanceUid };
    if (![studyUid, seriesUid].every((uid) => uid !== undefined && UID.test(uid)))
      return { instance, study: undefined, reason: FAILURE.noStorageInstance };
    const [studyName, seriesName, instanceName] = [studyUid, seriesUid, instanceUid].map((uid) =>
      names.uid(uid as string),
    ) as [string, string, string];
    const reason =
      study !== undefined && study !== studyUid
        ? FAILURE.otherStudy
        : (whyRefused(bytes) ??
          (await this.inTurn(instanceName, () =>
            this.land(
              dicomObject(`${FOLDER}${instanceName}`, { study: studyName, series: seriesName, instance: instanceName }),
              instanceName,
              bytes,
            ),
          )));
    return { instance, study: studyName, reason };
  }

  /**
   * What landed is written down after it has: whoever dies between the two leaves an object of which nothing is known, and
   * the instance, sent again, is a duplicate. The other way round another door's object could pass for this one.
   */
  private async land(name: string, instance: string, bytes: Buffer): Promise<FailureReason | undefined> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
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
    return (JSON.parse((await this.reports.read(record)).toString("utf8")) as { sha256: string }).sha256;
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

/** Why ingest would refuse all of a file; undefined where it would look at its pixels. */
function whyRefused(bytes: Buffer): FailureReason | undefined {
  try {
    checkDicom(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof RejectedImage) return reasonOf(error);
    throw error;
  }
}
