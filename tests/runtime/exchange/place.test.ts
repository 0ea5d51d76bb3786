import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ReportedStudy, structuredReport } from "../../../runtime/exchange";
import { reportedStudy } from "../../../runtime/gateway/results/report";
import { decodeScan, readAnsweredFrame, readFramePlaces, storedPlace } from "../../../runtime/imaging";
import { picturesKey } from "../../../runtime/study";
import { runPydicom } from "../../support/pydicom";
import { bytesOfSlice, type Elements, mrElements, writeElements, writeFile } from "../imaging/dicom/dicom-writer";
import { ANSWER, STUDY } from "./answers";

/*
 * The point of a structured report, from the map's maximum in the upright picture to the stored pixels that it names: read
 * from the report and from the file by Python, which knows nothing of how pictures were turned.
 */

const [COLUMNS, ROWS] = [40, 56];
const AXES = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
] as const;
/** Directions of rows and columns along two axes, each way; between them; and none. */
const ORIENTATIONS: readonly (readonly number[])[] = [
  ...AXES.flatMap((row) =>
    AXES.filter((column) => column !== row).flatMap((column) =>
      [1, -1].flatMap((s) => [1, -1].map((t) => [...row.map((v) => s * v), ...column.map((v) => t * v)])),
    ),
  ),
  [0.96, 0.28, 0, 0.05, -0.17, -0.98],
];

const SPACINGS = ["1\\1", "1.3\\1", "1\\2.5"];

/** A slice with one bright pixel. */
function slice([column, row]: readonly [number, number]): Buffer {
  const pixels = Uint16Array.from({ length: COLUMNS * ROWS }, (_, i) => i % 5);
  pixels[row * COLUMNS + column] = 4000;
  return bytesOfSlice(pixels);
}

const oriented = (cosines: readonly number[]): Elements => [[0x0020_0037, "DS", cosines.join("\\")]];

/** Enhanced MR: a frame for each orientation, each bright elsewhere, rows twice as far apart as columns. */
function manyFrames(): Buffer {
  const frames = ORIENTATIONS.map((cosines, i) => ({ cosines, bright: [3 + i, 50 - i] as const }));
  const groups: Elements[] = frames.map(({ cosines }) => [[0x0020_9116, "SQ", [oriented(cosines)]]]);
  return writeFile(
    writeElements([
      ...mrElements(ROWS, COLUMNS, [
        [0x0028_0008, "IS", String(frames.length)],
        [0x0028_0030, "DS", "2\\1"],
      ]),
      [0x5200_9230, "SQ", groups],
      [0x7fe0_0010, "OW", Buffer.concat(frames.map(({ bright }) => slice(bright)))],
    ]),
  );
}

/** MR: one slice, whose pixels may be wider than high. */
const oneFrame = (cosines: readonly number[], spacing: string, bright: readonly [number, number]): Buffer =>
  writeFile(
    writeElements([
      ...mrElements(ROWS, COLUMNS, [...oriented(cosines), [0x0028_0030, "DS", spacing]]),
      [0x7fe0_0010, "OW", slice(bright)],
    ]),
  );

/** Report and picture of each page, by the service's way and by the gateway's. */
async function reportsOf(bytes: Buffer): Promise<Buffer[]> {
  const made: Buffer[] = [];
  for await (const decoded of decodeScan(bytes)) {
    if (!("image" in decoded)) throw decoded.rejected;
    const { image, page } = decoded;
    const strongest = image.pixels.indexOf(Math.max(...image.pixels));
    const peak = { x: strongest % image.width, y: Math.floor(strongest / image.width) };
    const { place, frames } = readAnsweredFrame(bytes, page);
    const point = storedPlace(place, peak.x + 0.5, peak.y + 0.5);
    const frame = frames === undefined ? undefined : page;
    const service: ReportedStudy = { ...ANSWER, page, peak, image: { ...STUDY, frame, point } };
    made.push(structuredReport(service), structuredReport(fromHome(bytes, page, peak)));
  }
  return made;
}

/** As the gateway reports what it has at home of the file. */
function fromHome(bytes: Buffer, page: number, peak: { readonly x: number; readonly y: number }): ReportedStudy {
  const { frames, places } = readFramePlaces(bytes);
  const [study, series, instance] = ["2.25.1", "2.25.2", "2.25.3"];
  const one = { instance, series, page, sequence: null, view: null, sha256: "a", probability: 0.9 };
  const slices = [{ ...one, decision: "Cancer" as const }];
  const empty = { patientId: null, patientName: null, birthDate: null, sex: null, accession: null };
  const record = {
    ...{ instance, series, study, patient: null, sopClass: STUDY.sopClass, dayShift: 0, sha256: "", recorded: "" },
    identifiers: {
      ...{ ...empty, studyDate: null, studyTime: null, studyId: null },
      ...{ studyUid: "1.2.3", seriesUid: "1.2.4", instanceUid: "1.2.5" },
    },
    ...{ frames: frames ?? null, places: [...places] },
  };
  const answer = {
    ...{ study, revision: 1, answered_at: ANSWER.answeredAt, model: "m", model_sha256: "a", recipe: "r" },
    ...{ synthetic: true, verdict: { ...ANSWER.verdict, reasons: [] }, disclaimer: ANSWER.disclaimer },
    ...{ threshold: 0.4, uncertain: null, whole: { reason: "No rule." }, pictures: picturesKey(slices), slices },
    ...{ peak, overlay: null },
  };
  return reportedStudy(answer, { records: new Map([[instance, record]]), landed: new Map([[instance, 0]]) });
}

const JUDGE = `import json, sys
import numpy as np, pydicom
found = []
def points(item):
    if item.get("ValueType") == "SCOORD":
        yield item
    for inner in item.get("ContentSequence", []):
        yield from points(inner)
for scan, *reports in json.load(open(sys.argv[1])):
    pixels = pydicom.dcmread(scan).pixel_array
    for report in reports:
        (point,) = points(pydicom.dcmread(report))
        column, row = point.GraphicData
        (image,) = point.ContentSequence
        frame = image.ReferencedSOPSequence[0].get("ReferencedFrameNumber")
        stored = pixels if frame is None else pixels[int(frame) - 1]
        y, x = np.unravel_index(stored.argmax(), stored.shape)
        found.append([None if frame is None else int(frame), float(column - (x + 0.5)), float(row - (y + 0.5))])
print(json.dumps(found))`;

test("the point lies within a pixel of the map's maximum: every orientation and flip, pixels of any shape, every frame", async () => {
  const folder = mkdtempSync(join(tmpdir(), "place-"));
  try {
    const files = [
      manyFrames(),
      ...ORIENTATIONS.map((cosines, i) => oneFrame(cosines, SPACINGS[i % 3] as string, [2 + i, 5 + 2 * i])),
    ];
    const listed: string[][] = [];
    for (const [i, bytes] of files.entries())
      listed.push(
        [bytes, ...(await reportsOf(bytes))].map((content, j) => {
          const path = join(folder, `${i}-${j}.dcm`);
          writeFileSync(path, content);
          return path;
        }),
      );
    const list = join(folder, "list.json");
    writeFileSync(list, JSON.stringify(listed));
    const found = JSON.parse(runPydicom("-c", JUDGE, list)) as [frame: number | null, x: number, y: number][];
    const frames = ORIENTATIONS.length;
    expect(found).toHaveLength(4 * frames);
    expect(found.slice(0, 2 * frames).map(([frame]) => frame)).toEqual(
      Array.from({ length: 2 * frames }, (_, i) => Math.floor(i / 2) + 1),
    );
    expect(new Set(found.slice(2 * frames).map(([frame]) => frame))).toEqual(new Set([null]));
    for (const [, x, y] of found) {
      expect(Math.abs(x)).toBeLessThanOrEqual(1);
      expect(Math.abs(y)).toBeLessThanOrEqual(1);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
