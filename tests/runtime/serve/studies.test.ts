import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { buildServer } from "../../../runtime/serve";
import { studyObject, studyOverlay } from "../../../runtime/study";

test("a study's newest answer is told to who may read, with a row of who read it; what is no study is not there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "studies-"));
  const workspace = await openWorkspace(folder);
  const { models, reports } = workspace.buckets;
  const app = await buildServer({
    ...{ models, pointer: models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }) },
  });
  try {
    const verdict = { fit: false, sentence: "Not fit for use: the test says so.", reasons: ["phantoms"] };
    const slice = { instance: "2.25.3", series: "2.25.2", page: 1, sequence: null, view: null, sha256: "a" };
    const answer = (revision: number, study = "2.25.1") => ({
      ...{ study, revision, answered_at: "2026-03-01T10:11:12.345Z", model: "m", model_sha256: "b", recipe: "r" },
      ...{ synthetic: true, verdict, disclaimer: "Not for diagnostic use.", threshold: 0.4, uncertain: null },
      ...{ whole: { reason: "No rule." }, pictures: "p", peak: { x: 1, y: 2 }, overlay: null },
      slices: [{ ...slice, probability: 0.5, decision: "Cancer" }],
    });
    for (const revision of [1, 2, 10])
      await reports.create(studyObject("2.25.1", revision), JSON.stringify(answer(revision)));
    await reports.create(studyObject("2.25.9", 1), JSON.stringify(answer(1)));
    const ask = (study: string) => app.inject({ method: "GET", url: `/v1/studies/${study}` });
    expect((await ask("2.25.1")).json()).toEqual(answer(10));
    for (const none of ["2.25.2", "1.2.3", "2.25.1%2F10", "..%2Fanswers"]) {
      const { statusCode, body } = await ask(none);
      expect([statusCode, JSON.parse(body).code]).toEqual([404, "not-found"]);
    }
    // The picture of an answer; without one, and with one that is another.
    const png = Buffer.from("a picture");
    const overlay = createHash("sha256").update(png).digest("hex");
    const picture = (study: string) => app.inject({ method: "GET", url: `/v1/studies/${study}/overlay` });
    expect((await picture("2.25.1")).statusCode).toBe(404);
    await reports.create(studyObject("2.25.5", 1), JSON.stringify({ ...answer(1, "2.25.5"), overlay }));
    expect((await ask("2.25.5")).json()).toMatchObject({ overlay: "/v1/studies/2.25.5/overlay" });
    expect((await picture("2.25.5")).statusCode).toBe(404);
    await reports.create(studyOverlay("2.25.5", overlay), png);
    const shown = await picture("2.25.5");
    expect([shown.statusCode, shown.headers["content-type"], shown.rawPayload]).toEqual([200, "image/png", png]);
    await reports.write(studyOverlay("2.25.5", overlay), "another");
    expect((await picture("2.25.5")).json()).toMatchObject({ status: 500, code: "kept-damaged" });
    // Another study's answer under its name is none.
    expect((await ask("2.25.9")).json()).toMatchObject({ status: 500, code: "kept-damaged" });
    const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    expect(new Set(rows.map(({ action, model }) => `${action} ${model}`))).toEqual(new Set(["view-study m"]));
    expect(rows.map(({ subject, result }) => `${subject} ${result}`).sort()).toEqual([
      "2.25.1 null",
      "2.25.1 overlay",
      "2.25.5 null",
      ...Array(3).fill("2.25.5 overlay"),
    ]);
  } finally {
    await app.close();
    await workspace.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
