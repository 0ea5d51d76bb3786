import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mixSeed, uniform } from "../../../../runtime/platform/random";
import { DirectoryStore } from "../../../../runtime/platform/stores";
import {
  ANSWERS_BY_REQUEST,
  ANSWERS_OF_ACCESSIONS,
  type AssignmentRow,
  BigQueryWarehouse,
  CANARY_PAIRS,
  CANARY_TIMES,
  CURRENT_ASSIGNMENTS,
  CURRENT_FEATURES,
  CURRENT_FIT,
  CURRENT_IMAGES,
  DATASET_COUNTS,
  DEEP_BACKBONES,
  DEEP_FEATURES,
  DEEP_PICTURES,
  FEEDBACK_ON_PICTURES,
  type FeaturesDeepRow,
  type FeaturesPcaRow,
  IMAGE_FACTS,
  type ImageRow,
  KNOWN_SCANS,
  LABELLED_IMAGES,
  LANDED_FEEDBACK,
  MODEL_ANSWERS,
  MONITORED_DAYS,
  type MonitoringRow,
  ObjectStoreWarehouse,
  PAGES_BY_DAY,
  PICTURE_STATISTICS,
  PLANNED_IMAGES,
  QUARANTINED_BY_DAY,
  type Question,
  REFUSED_BY_DAY,
  type Row,
  STANDING_FEEDBACK,
  TABLE_NAMES,
  type TableName,
  TORN_GROUPS,
  UNASSIGNED_IMAGES,
  VIEWS,
  type Warehouse,
} from "../../../../runtime/platform/warehouse";
import { BigQueryServer } from "../../../support/bigquery-server";
import { assignmentRow, imageRow } from "../../../support/image-row";

/** Hospitals drawn at random; `SEEDS=3` draws as many, each a fifth of what this suite takes. */
const SEEDS = Number(process.env.SEEDS ?? 1);

type Rows = { readonly [T in TableName]?: readonly Row<T>[] };

let server: BigQueryServer;
let scratch: string;
let made = 0;
const open: Warehouse[] = [];
beforeAll(async () => {
  server = await BigQueryServer.start();
  scratch = mkdtempSync(join(tmpdir(), "questions-"));
});
afterAll(async () => {
  for (const warehouse of open) await warehouse.close();
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** The same rows in both warehouses. Asks both, and holds their answers together as JSON. */
async function both(rows: Rows) {
  const name = `d${made++}`;
  const warehouse = new ObjectStoreWarehouse(new DirectoryStore(join(scratch, name, "warehouse")));
  const dataset = await server.createDataset(name);
  const cloud = new BigQueryWarehouse(server.uri(name), { endpoints: server.endpoints });
  open.push(warehouse, cloud);
  const append = async <T extends TableName>(table: T, batch: string, content: readonly Row<T>[]) => {
    for (const one of [warehouse, cloud]) await one.append(table, batch, content, { unique: true });
  };
  // All of them, also those that stay empty: views are made of them.
  await cloud.migrate(TABLE_NAMES);
  for (const table of TABLE_NAMES) {
    const all = (rows[table] ?? []) as readonly Row<typeof table>[];
    // In batches, whose names are in another order than their rows: one a row would be a thousand streams.
    const batches = [3, 0, 4, 1, 2].map((batch, at) => [`${batch}`, all.filter((_, i) => i % 5 === at)] as const);
    await Promise.all(batches.map(([batch, content]) => content.length > 0 && append(table, batch, content)));
  }
  return {
    warehouse,
    dataset,
    append,
    async ask<P, R>(question: Question<P, R>, parameters: P): Promise<readonly R[]> {
      const [local, there] = await Promise.all([warehouse.ask(question, parameters), cloud.ask(question, parameters)]);
      const json = (answer: readonly R[]) => JSON.stringify({ question: question.name, rows: answer }, null, 1);
      expect(json(there)).toBe(json(local));
      return local;
    },
  };
}

const sources = (images: readonly { readonly source: string }[]) => images.map(({ source }) => source).sort();

describe("what is current", () => {
  const old = imageRow("a1", { source: "Cancer/a.tif", generation: 1 });

  test.each([
    ["one that was sent again", [imageRow("a2", { source: "Cancer/a.tif", generation: 2 })], ["a2"]],
    [
      "one that was sent again and is in quarantine now",
      [imageRow("a2", { source: "Cancer/a.tif", generation: 2, status: "quarantined", sha256: null, phash: null })],
      [],
    ],
    [
      "one that has pages now",
      [1, 2].map((n) => imageRow(`p${n}`, { source: `Cancer/a.tif#page=${n}`, generation: 2 })),
      ["p1", "p2"],
    ],
    [
      "one that had pages and lost one, and of whose others one is in quarantine",
      [
        ...[1, 2, 3].map((n) => imageRow(`p${n}`, { source: `Cancer/a.tif#page=${n}`, generation: 2 })),
        imageRow("q1", { source: "Cancer/a.tif#page=1", generation: 3 }),
        imageRow("q2", { source: "Cancer/a.tif#page=2", generation: 3, status: "quarantined", sha256: null }),
      ],
      ["q1"],
    ],
    [
      "one that is sent back as it was",
      [imageRow("a2", { source: "Cancer/a.tif", generation: 2 }), { ...old, generation: 3 }],
      ["a1"],
    ],
  ] as const)("%s", async (_, more, ids) => {
    const other = imageRow("b", { source: "Cancer/a.tif.png" });
    const { ask, dataset } = await both({ images: [old, ...more, other] });
    expect((await ask(CURRENT_IMAGES, {})).map(({ id }) => id)).toEqual([...ids, "b"].sort());
    const [view] = VIEWS.filter(({ name }) => name === "current_images");
    const seen = await server.query((view as (typeof VIEWS)[number]).query(dataset));
    expect(seen.map(({ id }) => id).sort()).toEqual([...ids, "b"].sort());
  });

  test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    "is what a plain reading of the rule gives, whatever landed in whatever order (seed %i)",
    async (seed) => {
      const random = uniform(mixSeed(seed, 99));
      const below = (limit: number) => Math.floor(random() * limit);
      const images: ImageRow[] = [];
      // Names that look like pages, or hold what patterns and SQL mind.
      const names = [
        "Cancer/a.tif",
        "Cancer/a.tif#page=1.png",
        'Unlabelled/it\'s [*] 100% "é" #page=x',
        "Cancer/b",
        "c",
        "Cancer/#page=",
        "Cancer/a",
      ];
      for (const [n, name] of names.entries()) {
        for (let generation = 1 + below(3); generation < 6; generation += 1 + below(3)) {
          const pages = below(4);
          for (let page = 1; page <= Math.max(1, pages); page++) {
            const curated = random() < 0.7;
            images.push(
              imageRow(`${n}-${generation}-${page}`, {
                source: pages > 1 ? `${name}#page=${page}` : name,
                generation,
                label: ([null, "Cancer", "Non-Cancer"] as const)[below(3)] ?? null,
                status: curated ? "curated" : "quarantined",
                sha256: curated ? `pixels-${below(9)}` : null,
                phash: curated ? `hash-${below(9)}` : null,
                width: random() < 0.8 ? 10 + below(5) : null,
                patient: random() < 0.5 ? null : `p${below(3)}`,
                collection: random() < 0.5 ? "drawn" : null,
              }),
            );
          }
        }
      }
      const assignments: AssignmentRow[] = images.flatMap((image) =>
        Array.from({ length: below(4) }, () =>
          assignmentRow(image, {
            group: `g${below(4)}`,
            split: ["train", "validation", "test"][below(3)] as string,
            revision: 1 + below(2),
            hash: random() < 0.3 ? null : `h${below(2)}`,
            phash: random() < 0.3 ? null : `x${below(3)}`,
          }),
        ),
      );
      const { ask } = await both({ images: shuffled(images, random), assignments: shuffled(assignments, random) });

      // The rule, row by row.
      const object = (source: string) => /^(.*?)(?:#page=\d+)?$/s.exec(source)?.[1] as string;
      const newest = images.filter((row) =>
        images.every((other) => object(other.source) !== object(row.source) || other.generation <= row.generation),
      );
      const curated = newest.filter(({ status }) => status === "curated");
      const found = await ask(CURRENT_IMAGES, {});
      expect(found.map(({ id }) => id)).toEqual(curated.map(({ id }) => id).sort());
      const best = (id: string) => {
        const mine = assignments.filter((row) => row.id === id);
        const top = mine.filter(({ revision }) => revision === Math.max(...mine.map((row) => row.revision)));
        const [first] = [...top].sort(
          (a, b) =>
            ["test", "validation", "train"].indexOf(a.split) - ["test", "validation", "train"].indexOf(b.split) ||
            (a.group < b.group ? -1 : 1),
        );
        return first && { ...first, disputed: new Set(top.map(({ group, split }) => `${group} ${split}`)).size > 1 };
      };
      for (const { id, group, split } of found) {
        expect([id, group, split]).toEqual([id, best(id)?.group ?? null, best(id)?.split ?? null]);
      }
      for (const { id, group, split, disputed } of await ask(CURRENT_ASSIGNMENTS, {})) {
        const wanted = best(id);
        expect([id, group, split, disputed]).toEqual([id, wanted?.group, wanted?.split, wanted?.disputed]);
      }

      expect(await ask(DATASET_COUNTS, {})).toMatchObject([
        { images: newest.length, curated: curated.length, quarantined: newest.length - curated.length },
      ]);
      const isTorn = (name: string | null) =>
        name !== null && new Set(found.filter(({ group }) => group === name).map(({ split }) => split)).size > 1;
      expect(sources(await ask(TORN_GROUPS, {}))).toEqual(sources(found.filter(({ group }) => isTorn(group))));
      const planned = await ask(PLANNED_IMAGES, {});
      expect(planned.map(({ id }) => id)).toEqual(found.map(({ id }) => id));
      const assigned = new Map((await ask(CURRENT_ASSIGNMENTS, {})).map((row) => [row.id, row]));
      for (const [i, { compared_hash, compared_phash, revision, disputed, ...row }] of planned.entries()) {
        expect(found[i]).toMatchObject(row);
        const { hash = null, phash = null, ...own } = assigned.get(row.id) ?? { revision: null, disputed: null };
        expect({ compared_hash, compared_phash }).toEqual({ compared_hash: hash, compared_phash: phash });
        expect({ revision, disputed }).toMatchObject({ revision: own.revision, disputed: own.disputed });
      }
      expect(await ask(UNASSIGNED_IMAGES, {})).toEqual([
        { images: found.filter(({ group }) => group === null).length },
      ]);
      const labelled = found.filter(({ label }) => label !== null);
      expect(await ask(LABELLED_IMAGES, { collection: "drawn" })).toEqual([
        { labelled: labelled.length, collected: labelled.filter(({ collection }) => collection === "drawn").length },
      ]);
      expect((await ask(IMAGE_FACTS, {})).map(({ id }) => id)).toEqual(
        found.filter(({ width }) => width !== null).map(({ id }) => id),
      );
    },
  );

  test("pictures are counted once, however many names they have, and superseded ones not at all", async () => {
    const images = [
      imageRow("a", { sha256: "one" }),
      imageRow("b", { sha256: "one", duplicate_of: "a" }),
      imageRow("c", { sha256: "two", duplicate_of: "gone" }),
      imageRow("d", { sha256: "three", source: "Cancer/d.png" }),
      imageRow("e", { sha256: null, source: "Cancer/d.png", generation: 2, status: "quarantined" }),
    ];
    const [a, b, c, d] = images as [ImageRow, ImageRow, ImageRow, ImageRow];
    const assignments = [
      ...[a, b].map((image) => assignmentRow(image, { group: "a", split: "train" })),
      ...[c, d].map((image) => assignmentRow(image, { group: image.id, split: "test" })),
    ];
    expect(await (await both({ images, assignments })).ask(DATASET_COUNTS, {})).toEqual([
      { images: 4, curated: 3, quarantined: 1, groups: 2, train: 1, validation: 0, test: 1 },
    ]);
  });

  test("of nothing is nothing", async () => {
    const { ask } = await both({});
    expect(await ask(CURRENT_IMAGES, {})).toEqual([]);
    expect(await ask(CURRENT_ASSIGNMENTS, {})).toEqual([]);
    expect(await ask(DATASET_COUNTS, {})).toEqual([
      { images: 0, curated: 0, quarantined: 0, groups: 0, train: 0, validation: 0, test: 0 },
    ]);
    expect(await ask(CURRENT_FEATURES, { recipe: "r" })).toEqual([]);
  });
});

test("what an earlier version wrote into images counts until there is a row in assignments", async () => {
  const { dataset, append, ask } = await both({});
  const [a, b] = [imageRow("a"), imageRow("b")].map((row) => ({ ...row, group: "g", split: "test" })) as unknown as [
    ImageRow,
    ImageRow,
  ];
  const store = new DirectoryStore(join(scratch, dataset.slice(dataset.indexOf(".") + 1), "warehouse"));
  // Without the columns that came later, and with those that have gone.
  const early = [a, b].map(({ hash: _, recipe: __, ...row }) => row);
  await store.write("images/early.jsonl", early.map((row) => `${JSON.stringify(row)}\n`).join(""));
  await server.insert(dataset, "images", early);
  const now = assignmentRow(b, { group: "h", split: "train" });
  await append("assignments", "now", [now]);
  expect(await ask(CURRENT_IMAGES, {})).toMatchObject([
    { id: "a", group: "g", split: "test", hash: null, recipe: null },
    { id: "b", group: "h", split: "train" },
  ]);
  expect(await ask(CURRENT_ASSIGNMENTS, {})).toMatchObject([
    { id: "a", revision: 0, hash: null, disputed: false },
    { id: "b", revision: 1, disputed: false },
  ]);
});

test("features are those of the current fit of the recipe that is asked for", async () => {
  const row = (id: string, pca: string, recipe = "r1"): FeaturesPcaRow => ({ id, recipe, pca, values: [1.5, -2e-7] });
  const fitOf = (recipe: string, revision: number, pca: string) => ({
    ...{ recipe, revision, pca },
    fitted_at: "2026-01-01T00:00:00.000Z",
  });
  const { ask } = await both({
    features_pca: [row("b", "old"), row("a", "new"), row("b", "new"), row("b", "new"), row("a", "other", "r2")],
    // A fit that was current before is so again.
    pca_fits: [fitOf("r1", 3, "new"), fitOf("r1", 2, "old"), fitOf("r1", 1, "new"), fitOf("r2", 1, "other")],
  });
  expect(await ask(CURRENT_FIT, { recipe: "r1" })).toEqual([{ pca: "new", revision: 3 }]);
  expect(await ask(CURRENT_FIT, { recipe: "r3" })).toEqual([]);
  expect(await ask(CURRENT_FEATURES, { recipe: "r1" })).toEqual([row("a", "new"), row("b", "new")]);
  expect(await ask(CURRENT_FEATURES, { recipe: "r2" })).toEqual([row("a", "other", "r2")]);
});

test("deep features are those of one network and recipe, once a picture", async () => {
  const row = (sha256: string, backbone = "b1", recipe = "r1", second = 0): FeaturesDeepRow => ({
    ...{ id: `${sha256}/${recipe}/${backbone}`, sha256, recipe, backbone },
    // The largest finite float, the least subnormal one and one that no short decimal is.
    features: [3.4028234663852886e38, -1.401298464324817e-45, Math.fround(0.1)],
    extracted_at: `2026-01-01T00:00:0${second}.000Z`,
  });
  const { ask } = await both({
    features_deep: [row("b"), row("a", "b2"), row("a", "b1", "r2"), row("a"), row("a", "b1", "r1", 1)],
  });
  const { features } = row("a");
  const of = { recipe: "r1", backbone: "b1" };
  expect(await ask(DEEP_FEATURES, of)).toEqual(["a", "b"].map((sha256) => ({ sha256, features })));
  expect(await ask(DEEP_FEATURES, { ...of, backbone: "b2" })).toEqual([{ sha256: "a", features }]);
  expect(await ask(DEEP_FEATURES, { ...of, backbone: "b3" })).toEqual([]);
  expect(await ask(DEEP_PICTURES, of)).toEqual([{ sha256: "a" }, { sha256: "b" }]);
  expect(await ask(DEEP_BACKBONES, { recipe: "r1" })).toEqual([
    { backbone: "b1", pictures: 2 },
    { backbone: "b2", pictures: 1 },
  ]);
});

test("known scans are the current images by group, with one network's features, where they have any, and one perceptual hash", async () => {
  const names = ["a", "b", "c", "d"];
  const [a, b, c, d] = names.map((name) => imageRow(name, { patient: `of ${name}` })) as [
    ImageRow,
    ImageRow,
    ImageRow,
    ImageRow,
  ];
  const [hash, recipe] = [a.hash as string, "r1"];
  const deep = (sha256: string, more: Partial<FeaturesDeepRow> = {}): FeaturesDeepRow => ({
    ...{ id: `${sha256}/${more.backbone}/${more.recipe}`, sha256, recipe, backbone: "m", features: [0.5, -2] },
    ...{ extracted_at: "2026-01-01T00:00:00.000Z", ...more },
  });
  const { ask } = await both({
    images: [
      a,
      // Hashed anew by the run that grouped it.
      { ...b, hash: "an earlier one", label: null },
      // By another hash alone, and not in a group yet.
      { ...c, hash: "an earlier one" },
      d,
      { ...d, id: "quarantined", source: "q", status: "quarantined", sha256: null },
      imageRow("old", { source: d.source, generation: 0 }),
    ],
    assignments: [
      assignmentRow(a, { group: "z", split: "train" }),
      assignmentRow(b, { group: "b", split: "test", phash: "hashed anew" }),
      assignmentRow(d, { group: "b", split: "validation" }),
    ],
    features_deep: [
      deep("a"),
      deep("b", { backbone: "other" }),
      deep("c", { recipe: "other" }),
      deep("d", { features: [1] }),
      deep("d", { extracted_at: "2026-01-02T00:00:00.000Z", features: [1] }),
      deep("old"),
    ],
  });
  const of = (name: string) => ({ id: name, sha256: name, label: "Cancer", patient: `of ${name}` });
  expect(await ask(KNOWN_SCANS, { recipe, backbone: "m", hash })).toEqual([
    { ...of("b"), label: null, group: "b", split: "test", phash: "hashed anew", features: [] },
    { ...of("d"), group: "b", split: "validation", phash: "d", features: [1] },
    { ...of("c"), group: "c", split: null, phash: null, features: [] },
    { ...of("a"), group: "z", split: "train", phash: "a", features: [0.5, -2] },
  ]);
});

describe("what monitoring asks", () => {
  const answer = (request: string, more: Partial<Row<"predictions">> = {}): Row<"predictions"> => ({
    ...{ request, id: `of ${request}`, model: "m", recipe: "r", probability: 0.25, label: "Non-Cancer" },
    ...{ decision: "Non-Cancer", threshold: 0.5, sha256: "a", predicted_at: "2026-05-01T10:00:00.000Z", who: null },
    milliseconds: null,
    ...more,
  });

  test("every answer of a model before a day, with what is known of the picture", async () => {
    const image = imageRow("i1", {
      ...{ sha256: "a", source: "Cancer/a", view: "axial", scanner: "s", sequence: "T1", subtype: "glioma" },
      collection: "c",
    });
    const later = imageRow("i2", { sha256: "a", source: "Cancer/b", ingested_at: "2026-04-01T00:00:00.000Z" });
    const { ask } = await both({
      images: [image, later],
      assignments: [assignmentRow(image, { group: "g", split: "test" })],
      predictions: [
        answer("r3", { predicted_at: "2026-05-02T23:59:59.999Z", sha256: "unknown" }),
        answer("r2"),
        answer("r1", { decision: "Uncertain", probability: 0.5, who: "ann@hospital.org", milliseconds: 120 }),
        answer("too late", { predicted_at: "2026-05-03T00:00:00.000Z" }),
        answer("another model's", { model: "n" }),
      ],
    });
    const known = {
      sha256: "a",
      group: "g",
      split: "test",
      view: "axial",
      scanner: "s",
      sequence: "T1",
      subtype: "glioma",
    };
    const nothing = {
      group: null,
      split: null,
      view: null,
      sequence: null,
      scanner: null,
      subtype: null,
      ingested: null,
    };
    expect(await ask(MODEL_ANSWERS, { model: "m", before: "2026-05-03" })).toEqual([
      {
        ...known,
        collection: "c",
        request: "r1",
        probability: 0.5,
        decision: "Uncertain",
        day: "2026-05-01",
        ingested: "2026-03-04",
        ...{ id: "of r1", who: "ann@hospital.org", milliseconds: 120 },
      },
      {
        ...known,
        collection: "c",
        request: "r2",
        probability: 0.25,
        decision: "Non-Cancer",
        day: "2026-05-01",
        ingested: "2026-03-04",
        ...{ id: "of r2", who: null, milliseconds: null },
      },
      {
        ...nothing,
        collection: null,
        request: "r3",
        sha256: "unknown",
        probability: 0.25,
        decision: "Non-Cancer",
        day: "2026-05-02",
        ...{ id: "of r3", who: null, milliseconds: null },
      },
    ]);
  });

  test("what each person last said, before a day", async () => {
    const said = (feedback: string, who: string, given_at: string, label: string): Row<"feedback"> => ({
      ...{
        feedback,
        request: "r",
        id: "i",
        label,
        comment: null,
        who,
        given_at,
        supersedes: null,
        scope: null,
        confirmed: null,
      },
    });
    const { ask } = await both({
      feedback: [
        said("f1", "ann", "2026-05-01T10:00:00.000Z", "Cancer"),
        said("f2", "ann", "2026-05-02T10:00:00.000Z", "Non-Cancer"),
        said("f3", "bea", "2026-05-01T11:00:00.000Z", "Cancer"),
        said("f4", "bea", "2026-05-04T11:00:00.000Z", "Non-Cancer"),
      ],
    });
    expect(await ask(STANDING_FEEDBACK, { before: "2026-05-03" })).toEqual([
      { request: "r", label: "Cancer", day: "2026-05-01" },
      { request: "r", label: "Non-Cancer", day: "2026-05-02" },
    ]);
  });

  test("feedback with its picture, answers by request and by study, and what landed by feedback", async () => {
    const answer = (request: string, sha256: string, day: number) => ({
      ...{ request, id: `id-${request}`, model: "m", recipe: "r", probability: 0.25, label: "Cancer" },
      ...{
        decision: "Cancer",
        threshold: 0.5,
        sha256,
        predicted_at: `2026-05-0${day}T00:00:00.000Z`,
        who: null,
        milliseconds: null,
      },
    });
    const said = (feedback: string, request: string, given_at: string, more: object = {}) => ({
      ...{ feedback, request, id: `id-${request}`, label: "Cancer", comment: null, who: "ann", given_at },
      ...{ supersedes: null, scope: null, confirmed: null, ...more },
    });
    const learnt = (sha256: string, status: string, ingested_at: string) =>
      imageRow(`learnt-${sha256}`, { source: `Cancer/feedback/${sha256}.png`, sha256, status, ingested_at });
    const { ask } = await both({
      predictions: [answer("a", "p", 1), answer("b", "p", 2), answer("c", "q", 1), answer("late", "q", 9)],
      images: [
        imageRow("one", { sha256: "p", accession: "ACC" }),
        imageRow("two", { sha256: "q", accession: "OTHER" }),
        learnt("p", "curated", "2026-05-03T00:00:00.000Z"),
        learnt("p", "quarantined", "2026-05-04T00:00:00.000Z"),
      ],
      feedback: [
        said("f1", "a", "2026-05-02T00:00:00.000Z", { scope: "study", confirmed: true }),
        said("f2", "c", "2026-05-03T00:00:00.000Z", { label: "Withdrawn" }),
        said("f3", "gone", "2026-05-03T00:00:00.000Z"),
      ],
    });
    const before = "2026-05-05";
    expect(await ask(FEEDBACK_ON_PICTURES, { before })).toMatchObject([
      { feedback: "f1", sha256: "p", scope: "study", confirmed: true },
      { feedback: "f2", sha256: "q", scope: null, confirmed: null, label: "Withdrawn" },
    ]);
    expect(await ask(STANDING_FEEDBACK, { before })).toMatchObject([{ request: "gone" }]);
    const byRequest = await ask(ANSWERS_BY_REQUEST, { requests: "c b late unknown", before });
    expect(byRequest.map(({ request }) => request)).toEqual(["b", "c"]);
    const ofStudy = await ask(ANSWERS_OF_ACCESSIONS, { accessions: "NONE ACC", before });
    expect(ofStudy).toMatchObject([{ accession: "ACC", request: "b", sha256: "p", probability: 0.25 }]);
    expect(await ask(LANDED_FEEDBACK, {})).toMatchObject([{ id: "learnt-p", status: "quarantined" }]);
  });

  test("what went into quarantine, by day and reason", async () => {
    const bad = (id: string, reason: string | null, day: string) =>
      imageRow(id, { source: id, status: "quarantined", sha256: null, reason, ingested_at: `${day}T12:00:00.000Z` });
    const { ask } = await both({
      images: [
        imageRow("good"),
        ...[bad("a", "truncated", "2026-05-01"), bad("b", "truncated", "2026-05-01"), bad("c", null, "2026-05-01")],
        ...[bad("d", "truncated", "2026-05-02"), bad("e", "truncated", "2026-05-03")],
      ],
    });
    expect(await ask(QUARANTINED_BY_DAY, { before: "2026-05-03" })).toEqual([
      { day: "2026-05-01", reason: null, pages: 1 },
      { day: "2026-05-01", reason: "truncated", pages: 2 },
      { day: "2026-05-02", reason: "truncated", pages: 1 },
    ]);
    // Beside all that came, by which the share is told.
    const came = await ask(PAGES_BY_DAY, { before: "2026-05-03" });
    expect(came.filter(({ day }) => day >= "2026-05-01")).toEqual([
      { day: "2026-05-01", pages: 3 },
      { day: "2026-05-02", pages: 1 },
    ]);
  });

  test("what the service refused and failed on, by day and code, summed over its instances", async () => {
    const row = (day: string, code: string, status: number, requests: number): Row<"refusals"> => ({
      ...{ day, code, status, requests, counted_at: `${day}T12:00:00.000Z` },
    });
    const { ask } = await both({
      refusals: [
        ...[
          row("2026-05-01", "busy", 503, 2),
          row("2026-05-01", "busy", 503, 3),
          row("2026-05-01", "too-small", 422, 1),
        ],
        ...[row("2026-05-01", "odd", 400, 1), row("2026-05-01", "odd", 415, 1), row("2026-05-01", "odd", 500, 1)],
        ...[row("2026-05-02", "busy", 503, 1), row("2026-05-03", "busy", 503, 9)],
      ],
    });
    expect(await ask(REFUSED_BY_DAY, { before: "2026-05-03" })).toEqual([
      { day: "2026-05-01", outcome: "failed", code: "busy", requests: 5 },
      { day: "2026-05-01", outcome: "failed", code: "odd", requests: 1 },
      { day: "2026-05-01", outcome: "refused", code: "odd", requests: 2 },
      { day: "2026-05-01", outcome: "refused", code: "too-small", requests: 1 },
      { day: "2026-05-02", outcome: "failed", code: "busy", requests: 1 },
    ]);
  });

  test("how pictures were made, a row each", async () => {
    const row = (sha256: string, recipe: string, brightness: number, measured_at: string) => ({
      ...{ sha256, recipe, brightness, contrast: 2, noise: 3.5, sharpness: 0.4, foreground: 0.5, background: 0 },
      ...{ scale: -1, measured_at },
    });
    const first = row("a", "r", 1, "2026-05-01T00:00:00.000Z");
    const { ask } = await both({
      input_statistics: [
        row("b", "r", 7, "2026-05-01T00:00:00.000Z"),
        first,
        row("a", "r", 1, "2026-05-02T00:00:00.000Z"),
        row("c", "other", 1, "2026-05-02T00:00:00.000Z"),
      ],
    });
    const found = await ask(PICTURE_STATISTICS, { recipe: "r" });
    expect(found).toMatchObject([first, { sha256: "b", brightness: 7 }]);
    expect(found).toHaveLength(2);
  });

  test("of a day's numbers those of the highest revision", async () => {
    const row = (day: string, name: string, revision: number, more: Partial<MonitoringRow> = {}): MonitoringRow => ({
      ...{ model: "m", day, name, part: null, value: 1, low: null, high: null, scans: null, detail: null, revision },
      ...{ computed_at: "2026-05-09T00:00:00.000Z", ...more },
    });
    const kept = [
      row("2026-05-01", "answers", 2, { value: 3.5 }),
      row("2026-05-01", "drift", 2),
      row("2026-05-01", "drift", 2, { part: "input", value: null, scans: 4, detail: "{}" }),
      row("2026-05-03", "answers", 1),
    ];
    const { ask } = await both({
      monitoring: [
        ...kept.toReversed(),
        row("2026-05-01", "answers", 1),
        row("2026-05-01", "gone", 1),
        row("2026-05-02", "answers", 1, { model: "n" }),
        row("2026-04-30", "answers", 1),
        row("2026-05-04", "answers", 1),
      ],
    });
    expect(await ask(MONITORED_DAYS, { model: "m", from: "2026-05-01", to: "2026-05-03" })).toEqual(kept);
  });
});

describe("what a canary is judged by", () => {
  const span = { candidate: "new", stable: "old", since: "2026-05-02T12:00:00.000Z" };
  const at = (time: string) => `2026-05-02T${time}.000Z`;

  test("every scan that both models looked at since it began, whichever answered", async () => {
    const compared = (request: string, more: Partial<Row<"shadows">> = {}): Row<"shadows"> => ({
      ...{ request, sha256: "a", model: "old", shadow: "new", decision: "Cancer", shadow_decision: "Uncertain" },
      ...{ probability: 0.75, shadow_probability: 0.5, milliseconds: 20, shadow_milliseconds: 30 },
      ...{ compared_at: at("13:00:00"), ...more },
    });
    const image = imageRow("i", { sha256: "a", source: "Cancer/a" });
    const { ask } = await both({
      images: [image, imageRow("j", { sha256: "a", source: "Cancer/b" })],
      assignments: [assignmentRow(image, { group: "g", split: "test" })],
      shadows: [
        compared("r2", { model: "new", shadow: "old", sha256: "unknown", compared_at: at("14:00:00") }),
        compared("r1"),
        compared("r3", {
          sha256: null,
          shadow_decision: "Failed",
          shadow_probability: null,
          shadow_milliseconds: null,
          compared_at: at("15:00:00"),
        }),
        compared("before", { compared_at: at("11:59:59") }),
        compared("other", { shadow: "third" }),
      ],
    });
    const pair = { candidate_decision: "Uncertain", candidate_probability: 0.5, candidate_milliseconds: 30 };
    const its = { stable_decision: "Cancer", stable_probability: 0.75, stable_milliseconds: 20 };
    expect(await ask(CANARY_PAIRS, span)).toEqual([
      { request: "r1", sha256: "a", group: "g", ...pair, ...its, candidate_answered: false },
      {
        ...{ request: "r2", sha256: "unknown", group: null, candidate_answered: true },
        ...{ candidate_decision: "Cancer", candidate_probability: 0.75, candidate_milliseconds: 20 },
        ...{ stable_decision: "Uncertain", stable_probability: 0.5, stable_milliseconds: 30 },
      },
      {
        ...{ request: "r3", sha256: null, group: null, candidate_answered: false },
        ...{ candidate_decision: "Failed", candidate_probability: null, candidate_milliseconds: null, ...its },
      },
    ]);
  });

  test("how long the answers of both took since its share began, each by who gave it", async () => {
    const answer = (request: string, model: string, more: Partial<Row<"predictions">> = {}): Row<"predictions"> => ({
      ...{ request, id: request, model, recipe: "r", probability: 0.5, label: "Cancer", decision: "Cancer" },
      ...{ threshold: 0.5, sha256: "a", predicted_at: at("13:00:00"), who: "local", milliseconds: 7, ...more },
    });
    const { ask } = await both({
      predictions: [
        answer("r1", "old"),
        answer("r2", "new", { served_as: "pinned", milliseconds: 9, predicted_at: at("14:00:00") }),
        // Not by the canary, and not by who follows the current model.
        answer("r3", "new"),
        answer("r4", "old", { served_as: "pinned" }),
        answer("scored", "old", { milliseconds: null }),
        answer("before", "old", { predicted_at: at("11:00:00") }),
      ],
    });
    expect(await ask(CANARY_TIMES, span)).toEqual([
      { model: "old", milliseconds: 7 },
      { model: "new", milliseconds: 9 },
    ]);
  });
});

test("every saved view can be made and asked, each on those before it", async () => {
  const image = imageRow("a");
  const { dataset } = await both({
    images: [image, imageRow("q", { status: "quarantined", reason: "not-an-image", sha256: null })],
    assignments: [assignmentRow(image, { group: "g", split: "test" })],
  });
  const answers: Record<string, Record<string, unknown>[]> = {};
  for (const { name, query } of VIEWS) {
    await server.createView(dataset, name, query(dataset));
    answers[name] = await server.query(`SELECT * FROM \`${dataset}.${name}\``);
  }
  expect(answers.current_images).toMatchObject([{ id: "a", group: "g", split: "test" }]);
  expect(answers.label_counts).toEqual([{ label: "Cancer", split: "test", images: 1, groups: 1 }]);
  expect(answers.quarantine_reasons).toMatchObject([{ reason: "not-an-image", files: 1 }]);
  expect(answers.daily_predictions).toEqual([]);
  expect(answers.current_features_pca).toEqual([]);
});

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
