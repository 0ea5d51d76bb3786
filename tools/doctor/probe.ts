import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { bucketName, datasetId } from "../../constructs/core/naming";
import { batchName } from "../../runtime/ingest";
import { drawPhantom } from "../../runtime/phantom";
import type { BucketName } from "../../runtime/platform/contract";
import type { ObjectStore } from "../../runtime/platform/stores";
import type { Row, Warehouse } from "../../runtime/platform/warehouse";
import type { Hospital } from "../../stacks/config";
import { type Finding, failed, ok, type Subject, skipped } from "./checkup";
import { type Network, reason, serviceAt } from "./reach";

/** One name for every probe: the next takes the place of one that was left behind. */
export const PROBE_NAME = "Unlabelled/doctor-probe.png";

const RETRACTION = `This took the place of a drawn phantom, which "npm run doctor -- --probe" had sent: it is no scan.\n`;

/** What a probe goes through. */
export interface ProbeOptions {
  readonly open: (uri: string) => Promise<ObjectStore>;
  readonly openTables: (uri: string) => Promise<Warehouse>;
  /** Seconds that ingest is waited for. */
  readonly wait: number;
  /** Where a prediction is asked for; without it none is. */
  readonly url: string | undefined;
  readonly network: Pick<Network, "fetch">;
  readonly signal: AbortSignal;
}

type ImageRow = Row<"images">;

/**
 * Sends a drawn phantom through landing to curated, and to the service for one prediction.
 *
 * A phantom must not stay in a hospital's data set. Rows are never deleted, but the newest generation of an object decides
 * what it is: so the probe ends with a second generation that is no picture. Ingest puts that into quarantine, and from
 * then on no step takes the phantom for a scan. This is done however the probe ends.
 */
export async function probe(subject: Subject, options: ProbeOptions): Promise<readonly Finding[]> {
  const { hospital } = subject;
  const seed = Date.now() % 2 ** 31;
  const png = await phantom(seed);
  const store = (name: BucketName) => options.open(`gs://${bucketName(hospital, name)}`);
  const [landing, curated] = await Promise.all([store("landing"), store("curated")]);
  const rows = await options.openTables(`bigquery://${hospital.project}/${datasetId(hospital)}`);
  const ingested = (generation: number) =>
    waitFor(() => rows.batch("images", batchName(PROBE_NAME, generation)), options);

  const findings: Finding[] = [];
  let row: ImageRow | undefined;
  try {
    const { generation } = await landing.write(PROBE_NAME, png, { contentType: "image/png" });
    [row] = (await ingested(generation)) ?? [];
    findings.push(await curatedFinding(hospital, row, curated, options));
  } finally {
    const { generation } = await landing.write(PROBE_NAME, RETRACTION, { contentType: "text/plain" });
    if (!options.signal.aborted)
      findings.push(await retracted(await ingested(generation), [landing, PROBE_NAME], row && [curated, pngOf(row)]));
    await rows.close();
  }
  options.signal.throwIfAborted();
  return [...findings, await prediction(subject, png, options)];
}

/** Different at every probe: equal pixels would be a duplicate of the last one's. */
async function phantom(seed: number): Promise<Buffer> {
  const { size, pixels } = drawPhantom({ seed, patient: 0, slice: 0.1, size: 160, lesion: false });
  return sharp(pixels, { raw: { width: size, height: size, channels: 1 } })
    .png()
    .toBuffer();
}

const pngOf = ({ sha256 }: ImageRow) => `images/${sha256}.png`;

async function curatedFinding(
  hospital: Hospital,
  row: ImageRow | undefined,
  curated: ObjectStore,
  { wait }: ProbeOptions,
): Promise<Finding> {
  const log = `gcloud functions logs read ${hospital.name}-ingest --region=${hospital.region} --project=${hospital.project}`;
  if (!row)
    return failed(
      "probe",
      `The phantom landed, and was not ingested within ${wait} s.`,
      `${log}; what was given up on waits in the subscription ${hospital.name}-ingest-dead-letter.`,
    );
  if (row.status !== "curated")
    return failed(
      "probe",
      `The phantom was put into quarantine: ${row.reason}.`,
      `${log}; reason.json in quarantine/${row.id}.`,
    );
  if (!(await curated.stat(pngOf(row))))
    return failed("probe", `The phantom has a row, and ${curated.uri}/${pngOf(row)} is not there.`, log);
  return ok("probe", "A phantom went through landing and ingest to curated, with its row.");
}

async function retracted(
  rows: readonly ImageRow[] | undefined,
  ...objects: readonly (readonly [ObjectStore, string] | undefined)[]
): Promise<Finding> {
  const left = `Rows of ${PROBE_NAME} stay in the table images: of its newest generation, in quarantine.`;
  if (rows?.[0]?.status !== "quarantined")
    return failed(
      "probe taken back",
      `What takes the phantom's place in landing was not ingested yet: until then it counts as an unlabelled scan.`,
      "It will be with the next delivery; run this again when ingest works.",
    );
  let kept = "";
  for (const object of objects) {
    if (!object) continue;
    const [store, name] = object;
    try {
      await store.delete(name);
    } catch {
      // Not everybody who may look may delete; nothing takes it for a scan.
      kept += ` ${store.uri}/${name} stays too.`;
    }
  }
  return ok("probe taken back", `The phantom is no scan of the data set any more. ${left}${kept}`);
}

async function prediction(subject: Subject, png: Buffer, { url, network, signal }: ProbeOptions): Promise<Finding> {
  if (url === undefined)
    return skipped(
      "prediction",
      "The service answers inside the project only.",
      "On a machine in its network: --probe --url URL.",
    );
  try {
    const service = serviceAt(url, subject);
    const response = await network.fetch(`${service.url}/v1/predictions`, {
      method: "POST",
      headers: { ...service.headers, "content-type": "image/png" },
      body: new Uint8Array(png),
      signal: AbortSignal.any([signal, AbortSignal.timeout(60_000)]),
    });
    const answer = (await response.json().catch(() => ({}))) as {
      readonly probability?: unknown;
      readonly model?: unknown;
      readonly request?: unknown;
      readonly code?: unknown;
    };
    if (!response.ok || typeof answer.probability !== "number")
      return failed(
        "prediction",
        `${service.url} answers ${response.status}${answer.code ? ` (${answer.code})` : ""}.`,
        "The service's log says why; 401 and 403: who runs this lacks the role.",
      );
    return ok(
      "prediction",
      `Model ${answer.model} answered. The answer stays among the predictions, as request ${answer.request}.`,
    );
  } catch (error) {
    signal.throwIfAborted();
    return failed("prediction", `${url} does not answer: ${reason(error)}.`, "Ask from inside the project's network.");
  }
}

/** Asks until there is an answer, or the time is over: undefined then. */
async function waitFor<T>(
  question: () => Promise<T | undefined>,
  { wait, signal }: ProbeOptions,
): Promise<T | undefined> {
  const end = Date.now() + wait * 1000;
  for (;;) {
    const answer = await question();
    if (answer !== undefined || Date.now() >= end) return answer;
    await sleep(Math.min(1000, Math.max(1, end - Date.now())), undefined, { signal });
  }
}
