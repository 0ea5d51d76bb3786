import { createHash } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import {
  applyRecipeGrey,
  decodeScan,
  encodePng,
  type Geometry,
  type GreyImage,
  pixelSha256,
  RECIPE,
  toOriginal,
} from "../../runtime/imaging";
import { DISCLAIMER } from "../../runtime/intake/labels";
import { secureHeaders } from "../../runtime/serve/identity";
import { monitoringOf } from "../../runtime/serve/monitoring";
import type { Monitoring } from "../../runtime/serve/monitoring-schemas";
import { Problem, sendProblem, toProblem } from "../../runtime/serve/problem";
import type {
  Comparison,
  EvaluationAnswer,
  Feedback,
  FeedbackGiven,
  FeedbackPage,
  HistoryItem,
  MetricValue,
  Model,
  ModelDetail,
  ModelItem,
  ModelList,
  Prediction,
  Promotion,
  SaliencyMap,
  Similar,
} from "../../runtime/serve/schemas";
import { visitorRoutes } from "../../runtime/serve/visitor";
import { webRoutes } from "../../runtime/serve/web";
import { monitoredDays } from "../support/monitored";

/** A page as it was read, and what a bright spot says of it. */
interface Read {
  readonly page: number;
  readonly image: GreyImage;
  readonly seen: Uint8Array;
  readonly geometry: Geometry;
  readonly map: readonly number[];
  readonly probability: number;
}

/** Known scans, and one whose picture cannot be shown. */
const KNOWN = ["1", "2", "3", "4", "5"].map((digit) => digit.repeat(64));
const GONE = "f".repeat(64);

const CELLS = 16;
const THRESHOLD = 0.5;
const BAND = { low: 0.4, high: 0.6 };

/** What the fixture is told, to see what the page makes of it. */
export interface FixtureState {
  verdict: Model["verdict"];
  role: "viewer" | "clinician" | "admin";
  /** Problems that the next predictions get, first first. */
  readonly refusals: Problem[];
  /** What the question for similar scans gets in place of them. */
  similarProblem: Problem | undefined;
  canary: ModelList["canary"];
}

/** The second model, on a tenth of the requests. */
const ON_TRIAL: NonNullable<ModelList["canary"]> = {
  ...{ candidate: "bright-spot-0002", stable: "bright-spot-0001", mode: "traffic", state: "running", share: 10 },
  ...{ started_at: "2026-11-27T08:00:00.000Z", share_since: "2026-11-27T08:20:00.000Z", reason: "It is tried out." },
  judged: {
    ...{ at: "2026-11-28T08:00:00.000Z", outcome: "hold" },
    findings: [
      {
        ...{ clause: "canary.agreement", state: "open", missing: 212 },
        sentence: "Scans that the two models decide otherwise: 1 of 40 (2.5 %), at most 5.0 % allowed: not shown yet.",
      },
      {
        ...{ clause: "canary.errors", state: "held", missing: 0 },
        sentence: "Answers that the candidate failed to give: 0 of 900, and it is <b>shown</b> to be less.",
      },
    ],
  },
  next: {
    sentence: "Wait for more scans, then look again: it goes on by itself with --wait.",
    commands: ["npm run models -- canary advance", "npm run models -- canary abort"],
  },
};

/**
 * Routes of the API by `runtime/serve/schemas.ts`, without a model: it calls Cancer what has a bright spot. Pixels,
 * geometry, samples and the page's files are the program's own.
 */
export function fixtureApi(): { readonly app: FastifyInstance; readonly state: FixtureState } {
  const state: FixtureState = {
    verdict: { fit: false, sentence: "Not fit for use: it is <b>a test</b>.", reasons: ["few-groups"] },
    role: "admin",
    refusals: [],
    similarProblem: undefined,
    canary: ON_TRIAL,
  };
  const app = Fastify({ bodyLimit: 2 ** 26 });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_, body, done) =>
    done(null, body === "" ? undefined : JSON.parse(String(body))),
  );
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => sendProblem(reply, toProblem(error), request.id));
  app.setNotFoundHandler(({ method, url, id }, reply) =>
    sendProblem(reply, new Problem(404, "not-found", `There is nothing at ${method} ${url}.`), id),
  );

  let requests = 0;
  const answers: Prediction[] = [];
  const pages = new Map<string, readonly Read[]>();
  const feedback: Feedback[] = [];
  const models = ["bright-spot-0002", "bright-spot-0001"];
  let current = "bright-spot-0001";

  const newest = (id: string): Prediction => {
    const found = answers.findLast((answer) => answer.id === id);
    if (!found) throw new Problem(404, "not-found", "There is no prediction with this id. Send the scan again.");
    return found;
  };
  const pageOf = (id: string, number?: string) => {
    const page = number === undefined ? newest(id).page : Number(number);
    return pages.get(id)?.find((read) => read.page === page) as Read;
  };

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook("onRequest", async (request) => {
    request.caller = { who: "clinician@hospital.org", role: state.role };
  });
  app.get("/v1/model", async (): Promise<Model> => modelOf(current, state));
  app.post("/v1/predictions", async (request): Promise<Prediction> => {
    const refused = state.refusals.shift();
    if (refused) throw refused;
    const bytes = request.body as Buffer;
    const read: Read[] = [];
    for await (const page of decodeScan(bytes)) if ("image" in page) read.push(readPage(page.page, page.image));
    const answer = predictionOf(bytes, read, modelOf(current, state), `request-${++requests}`);
    pages.set(answer.id, read);
    answers.push(answer);
    return answer;
  });
  app.get<{ Querystring: Record<string, string | undefined> }>("/v1/predictions", async ({ query }) => {
    const { decision, model, id = "", from = "", to = "9999" } = query;
    const fitting = answers
      .filter((answer) => (!decision || answer.decision === decision) && (!model || answer.model === model))
      .filter((answer) => answer.id.startsWith(id))
      .filter(({ receipt }) => receipt.answered_at >= from && receipt.answered_at < to)
      .reverse();
    const start = Number(query.cursor ?? 0);
    const end = start + Number(query.limit ?? 50);
    return {
      items: fitting.slice(start, end).map(historyItem),
      next: end < fitting.length ? String(end) : null,
      disclaimer: DISCLAIMER,
    };
  });
  app.get<{ Params: { id: string } }>("/v1/predictions/:id", async ({ params }) => newest(params.id));
  app.get<{ Params: { id: string; page: string } }>("/v1/predictions/:id/pages/:page", async ({ params }, reply) => {
    const read = pages.get(params.id)?.find(({ page }) => page === Number(params.page));
    if (!read) throw new Problem(404, "not-found", "There is no such page.");
    return reply.type("image/png").send(await encodePng(read.image));
  });
  app.get<{ Params: { id: string }; Querystring: { page?: string } }>(
    "/v1/scans/:id/picture",
    async ({ params, query }, reply) => {
      if (params.id === GONE) throw new Problem(500, "scan-damaged", "The picture of this scan cannot be shown.");
      const { seen } = pageOf(KNOWN.includes(params.id) ? (answers[0]?.id as string) : params.id, query.page);
      const png = await encodePng({ width: RECIPE.side, height: RECIPE.side, depth: 8, pixels: seen });
      return reply.type("image/png").send(png);
    },
  );
  app.get<{ Params: { id: string } }>("/v1/predictions/:id/similar", async ({ params }): Promise<Similar> => {
    const { id, model } = newest(params.id);
    if (state.similarProblem) throw state.similarProblem;
    return {
      ...{
        id,
        model,
        known: 1234,
        known_cancer: 617,
        excluded: 3,
        complete: true,
        metric: "as the test says",
        disclaimer: DISCLAIMER,
      },
      items: [...KNOWN, GONE].map((scan, i) => ({
        id: scan,
        label: i % 3 === 0 ? "Non-Cancer" : "Cancer",
        split: i === 1 ? "train" : "test",
        similarity: 0.9 - i / 10,
        picture: `/v1/scans/${scan}/picture`,
      })),
      agreement: { neighbours: 20, cancer: 13, auc: { value: 0.874, low: 0.81, high: 0.92 } },
    };
  });
  app.get<{ Params: { id: string } }>("/v1/predictions/:id/map", async ({ params }): Promise<SaliencyMap> => {
    const { page, image, geometry, map } = pageOf(params.id);
    const { left, top, width, height, scale, padLeft, padTop } = geometry;
    return {
      page,
      rows: CELLS,
      columns: CELLS,
      values: [...map],
      square: { x: left - padLeft * scale, y: top - padTop * scale, side: RECIPE.side * scale },
      foreground: { x: left, y: top, width, height },
      peak: newest(params.id).peak,
      width: image.width,
      height: image.height,
    };
  });
  app.get<{ Params: { id: string } }>("/v1/predictions/:id/feedback", async ({ params }) => ({
    items: feedback.filter(({ id }) => id === params.id).reverse(),
  }));
  app.post<{ Params: { id: string }; Body: FeedbackGiven }>(
    "/v1/predictions/:id/feedback",
    async ({ params, body }) => {
      const answer = newest(params.id);
      const given: Feedback = {
        feedback: `feedback-${feedback.length + 1}`,
        request: answer.request,
        id: answer.id,
        label: body.label,
        agrees: body.label === answer.label,
        comment: body.comment ?? null,
        who: "clinician@hospital.org",
        given_at: new Date().toISOString(),
        supersedes: feedback.findLast(({ id }) => id === answer.id)?.feedback ?? null,
      };
      feedback.push(given);
      return given;
    },
  );
  app.get(
    "/v1/feedback",
    async (): Promise<FeedbackPage> => ({ items: feedback.filter(({ agrees }) => !agrees).reverse(), next: null }),
  );
  app.get(
    "/v1/models",
    async (): Promise<ModelList> => ({
      items: models.map((id) => itemOf(id, current, state)),
      current: {
        model: current,
        previous: other(current),
        reason: "The test says so.",
        promoted_at: "2026-11-27T07:00:00Z",
      },
      canary: state.canary,
    }),
  );
  app.get<{ Querystring: { a: string; b: string } }>("/v1/models/compare", async ({ query }): Promise<Comparison> => {
    const names = ["accuracy", "precision", "recall", "specificity", "f1", "auc", "ece"] as const;
    const [a, b] = [evaluationOf(query.a, state), evaluationOf(query.b, state)];
    return {
      a: itemOf(query.a, current, state),
      b: itemOf(query.b, current, state),
      comparable: true,
      metrics: names.map((name) => ({
        name,
        a: a.test[name],
        b: b.test[name],
        difference: (b.test[name].value ?? 0) - (a.test[name].value ?? 0),
      })),
      rule: {
        promotes: true,
        reason: `${query.b} is shown to be better than the champion ${query.a}: AUC 0.9100 against 0.8900 on the same 71 scans in 40 groups.`,
      },
    };
  });
  app.get<{ Params: { id: string } }>("/v1/models/:id", async ({ params }): Promise<ModelDetail> => {
    if (!models.includes(params.id)) throw new Problem(404, "not-found", `There is no model ${params.id}.`);
    return {
      ...itemOf(params.id, current, state),
      threshold: THRESHOLD,
      uncertain: BAND,
      guard: false,
      counts: { train: 336, validation: 70, test: 71 },
      configuration: { epochs: 20, batch: 32 },
      card: `# Model ${params.id}\n\n**${state.verdict.sentence}**\n\n**${DISCLAIMER}**\n\n## What it is\n\n- A network \\*by hand\\*.\n\n| metric | value |\n| --- | --- |\n| AUC | 0.9 |\n`,
      evaluation: evaluationOf(params.id, state),
      training: {
        chosen: 4,
        epochs: [0.7, 0.5, 0.41, 0.33, 0.31].map((loss, i) => ({
          epoch: i + 1,
          loss,
          imagesPerSecond: 40,
          validation: { loss: loss + 0.05, auc: 0.5 + 0.09 * Math.min(4, i + 1) },
        })),
      },
      disclaimer: DISCLAIMER,
    };
  });
  app.get<{ Querystring: { from: string; model?: string } }>(
    "/v1/monitoring",
    async ({ query }): Promise<Monitoring> => {
      const { from, model = current } = query;
      const [last, today] = ["2026-11-26", "2026-11-27"];
      const rows = model === current ? monitoredDays(model, { last, id: answers[0]?.id ?? "a".repeat(64) }).flat() : [];
      return monitoringOf(rows, {
        model,
        current: model === current,
        from: [from, last].sort()[0] as string,
        to: today,
        today,
      });
    },
  );
  const promote = (id: string): Promotion => {
    if (state.role !== "admin") throw new Problem(403, "forbidden", "Promotion is for admins. Ask one of them.");
    const previous = current;
    current = id;
    return { current, previous, reason: `${id} answers now.` };
  };
  app.post<{ Params: { id: string } }>("/v1/models/:id/promote", async ({ params }) => promote(params.id));
  app.post("/v1/models/rollback", async () => promote(other(current)));
  // Headers of the real service: its policy is part of what the page has to work under.
  app.register(async (page) => {
    await secureHeaders(page, false);
    await page.register(webRoutes);
    await page.register(visitorRoutes);
  });
  return { app, state };
}

const other = (id: string) => (id.endsWith("1") ? "bright-spot-0002" : "bright-spot-0001");

function readPage(page: number, image: GreyImage): Read {
  const { grey, geometry } = applyRecipeGrey(image);
  const side = RECIPE.side / CELLS;
  const map = Array.from({ length: CELLS * CELLS }, (_, cell) => {
    const [top, left] = [Math.floor(cell / CELLS) * side, (cell % CELLS) * side];
    let sum = 0;
    for (let y = top; y < top + side; y++)
      for (let x = left; x < left + side; x++) sum += grey[y * RECIPE.side + x] as number;
    return sum / (side * side * 255) - 0.7;
  });
  const probability = 1 / (1 + Math.exp(-20 * (Math.max(...map) - 0.1)));
  return { page, image, seen: grey, geometry, map, probability };
}

function predictionOf(bytes: Buffer, read: readonly Read[], model: Model, request: string): Prediction {
  const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
  const top = read.reduce((most, page) => (page.probability > most.probability ? page : most));
  const { image, geometry, probability, map } = top;
  const cell = map.indexOf(Math.max(...map));
  const at = (index: number) => ((index + 0.5) * RECIPE.side) / CELLS;
  const peak = toOriginal(geometry, at(cell % CELLS), at(Math.floor(cell / CELLS)));
  const id = sha256(read.map((page) => pixelSha256(page.image)).join(" "));
  const path = (what: string) => `/v1/predictions/${id}/${what}`;
  const label = probability >= THRESHOLD ? "Cancer" : "Non-Cancer";
  const unsure = probability >= BAND.low && probability <= BAND.high;
  return {
    request,
    id,
    verdict: model.verdict,
    model: model.id,
    recipe: RECIPE.id,
    probability,
    label,
    decision: unsure ? "Uncertain" : label,
    uncertain: BAND,
    threshold: THRESHOLD,
    overlay: path("overlay"),
    original: path("original"),
    disclaimer: DISCLAIMER,
    page: top.page,
    pages: read.length,
    rejected_pages: [],
    width: image.width,
    height: image.height,
    peak: { x: Math.floor(peak.x), y: Math.floor(peak.y) },
    synthetic: true,
    slices: read.map((page) => ({
      page: page.page,
      probability: page.probability,
      sha256: pixelSha256(page.image),
      width: page.image.width,
      height: page.image.height,
      depth: page.image.depth,
      pixels: path(`pages/${page.page}`),
    })),
    map: { path: path("map"), page: top.page, rows: CELLS, columns: CELLS },
    pictures: { overlay: path("overlay"), original: path("original"), seen: `/v1/scans/${id}/picture` },
    reports: (["fhir", "hl7", "sr", "sc"] as const).map((format) => ({
      format,
      path: path(`report?format=${format}`),
    })),
    receipt: {
      request,
      model: model.id,
      model_sha256: sha256(model.id),
      recipe: RECIPE.id,
      file_sha256: sha256(bytes),
      pages: read.map((page) => ({ page: page.page, sha256: pixelSha256(page.image) })),
      answered_at: new Date().toISOString(),
      kept_until: new Date(Date.now() + 30 * 86_400_000).toISOString(),
      leaf: sha256(request),
    },
  };
}

const historyItem = (answer: Prediction): HistoryItem => ({
  request: answer.request,
  id: answer.id,
  model: answer.model,
  probability: answer.probability,
  label: answer.label,
  decision: answer.decision,
  threshold: answer.threshold,
  page: answer.page,
  pages: answer.pages,
  answered_at: answer.receipt.answered_at,
  who: "clinician@hospital.org",
  kept: true,
});

const modelOf = (id: string, { verdict }: FixtureState): Model => ({
  id,
  verdict,
  recipe: RECIPE.id,
  threshold: THRESHOLD,
  uncertain: BAND,
  guard: false,
  parameters: 391,
  synthetic: true,
  pinned: false,
  shadow: null,
  disclaimer: DISCLAIMER,
});

const itemOf = (id: string, current: string, { verdict }: FixtureState): ModelItem => ({
  id,
  current: id === current,
  previous: id === other(current),
  usable: true,
  problem: null,
  verdict,
  recipe: RECIPE.id,
  parameters: 391,
  synthetic: true,
  trained_on: 336,
  test: { n: 71, auc: 0.91, accuracy: 0.85 },
  published_at: "2026-11-26T12:00:00Z",
});

function evaluationOf(id: string, { verdict }: FixtureState): EvaluationAnswer {
  const metric = (value: number): MetricValue => ({ value, low: value - 0.06, high: Math.min(1, value + 0.05) });
  const better = id.endsWith("2") ? 0.02 : 0;
  const bins = Array.from({ length: 15 }, (_, i) => i / 15);
  return {
    verdict,
    dataset: "0".repeat(64),
    intervals: "95 % intervals by resampling groups",
    test: {
      n: 71,
      groups: 11,
      cancer: 35,
      nonCancer: 36,
      threshold: THRESHOLD,
      accuracy: metric(0.85 + better),
      precision: metric(0.84),
      recall: metric(0.88 + better),
      specificity: metric(0.81),
      f1: metric(0.86),
      auc: metric(0.91 + better),
      ece: { value: null, reason: "There are too few images." },
    },
    validation: null,
    collections: [],
    baselines: [{ name: "brightness", description: "Mean brightness alone", auc: metric(0.55) }],
    confusion: { truePositive: 31, falsePositive: 7, trueNegative: 29, falseNegative: 4 },
    roc: [null, 0.9, 0.7, 0.5, 0.3, 0.1, 0].map((threshold, i) => ({
      falsePositiveRate: [0, 0, 0.06, 0.19, 0.4, 0.7, 1][i] as number,
      truePositiveRate: [0, 0.4, 0.7, 0.88, 0.95, 0.99, 1][i] as number,
      threshold,
    })),
    precisionRecall: [],
    reliability: bins.map((from, i) => ({
      from,
      to: from + 1 / 15,
      count: i === 7 ? 0 : 3 + ((i * 5) % 7),
      predicted: i === 7 ? null : from + 1 / 30,
      observed: i === 7 ? null : Math.min(1, from * 1.05),
    })),
    riskCoverage: [],
  };
}
