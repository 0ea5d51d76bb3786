import type { Monitoring } from "../../runtime/serve/monitoring-schemas";
import type {
  CallerAnswer,
  Comparison,
  Feedback,
  FeedbackGiven,
  FeedbackList,
  FeedbackPage,
  History,
  Model,
  ModelDetail,
  ModelList,
  Prediction,
  ProblemDocument,
  Promotion,
  SaliencyMap,
  Samples,
  Similar,
  StudyAnswer,
  Worklist,
} from "../../runtime/serve/schemas";

/** What the server refused, or why it could not be asked, as a sentence for a person. */
export class ApiError extends Error {
  /**
   * @param status 0 where there was no answer at all
   * @param retrySeconds when the server says to ask again
   */
  constructor(
    readonly status: number,
    message: string,
    readonly retrySeconds?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export const NO_ANSWER = "The server does not answer. See that it runs and that you are connected, then try again.";

/** The sentence of a refusal: the problem document's, or as much as there is. */
export function refusal(status: number, body: string, retryAfter: string | null): ApiError {
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  const retry = Number.isFinite(seconds) ? Math.max(1, seconds) : undefined;
  return new ApiError(status, detailOf(body) ?? withoutDetail(status), retry);
}

function detailOf(body: string): string | undefined {
  try {
    const { detail } = JSON.parse(body) as Partial<ProblemDocument>;
    return typeof detail === "string" && detail !== "" ? detail : undefined;
  } catch {
    return undefined;
  }
}

/** What stands before the server, a proxy say, answers in its own way. */
function withoutDetail(status: number): string {
  if (status === 401) return "You are not signed in, or no longer. Load this page again to sign in.";
  if (status === 403) return "You may not do that here. Ask who administers this service.";
  if (status === 413) return "The file is larger than what stands before the server lets through. Send a smaller one.";
  if (status === 429 || status === 503) return "The server is busy. Try again in a moment.";
  return `The server, or what stands before it, failed (HTTP ${status}) and did not say why. Try again; if it stays so, tell who runs it.`;
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, { ...init, headers: { accept: "application/json", ...init.headers } }).catch(
    (error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, NO_ANSWER);
    },
  );
  if (!response.ok) throw refusal(response.status, await response.text(), response.headers.get("retry-after"));
  return response;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, signal ? { signal } : {})).json() as Promise<T>;
}

async function post<T>(path: string, body?: unknown): Promise<T> {
  const json =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  return (await ask(path, { method: "POST", ...json })).json() as Promise<T>;
}

export const PREDICTIONS = "/v1/predictions";
const at = (id: string) => `${PREDICTIONS}/${encodeURIComponent(id)}`;
const model = (id: string) => `/v1/models/${encodeURIComponent(id)}`;

/** What a question about the history may ask for; empty: everything. */
export interface HistoryFilter {
  readonly decision: string;
  readonly model: string;
  /** The beginning of a prediction's id. */
  readonly id: string;
  /** The first and the last day, `2026-11-27`, as days are where the visitor is. */
  readonly from: string;
  readonly to: string;
}

/** When a day begins here, or so many days after it, as the server takes it; what is no day is left out. */
function startOfDay(date: string, later: number): string {
  const time = new Date(`${date}T00:00`);
  time.setDate(time.getDate() + later);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}

export const api = {
  model: () => get<Model>("/v1/model"),
  me: () => get<CallerAnswer>("/v1/me"),
  samples: () => get<Samples>("/v1/samples"),
  async file(path: string): Promise<Blob> {
    return (await ask(path)).blob();
  },
  prediction: (id: string, signal?: AbortSignal) => get<Prediction>(at(id), signal),
  /** By its pseudonym; undefined where there is no answer of it yet. */
  async study(study: string, signal?: AbortSignal): Promise<StudyAnswer | undefined> {
    try {
      return await get<StudyAnswer>(`/v1/studies/${encodeURIComponent(study)}`, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  },
  similar: (id: string, signal?: AbortSignal) => get<Similar>(`${at(id)}/similar`, signal),
  map: (path: string, signal?: AbortSignal) => get<SaliencyMap>(path, signal),
  async pixels(path: string, signal: AbortSignal): Promise<ArrayBuffer> {
    return (await ask(path, { signal, headers: { accept: "image/png" } })).arrayBuffer();
  },
  history(filter: HistoryFilter, cursor: string | null, signal?: AbortSignal) {
    const query = new URLSearchParams({ limit: "50" });
    for (const [key, value] of Object.entries({
      ...filter,
      from: startOfDay(filter.from, 0),
      to: startOfDay(filter.to, 1),
    }))
      if (value !== "") query.set(key, value);
    if (cursor !== null) query.set("cursor", cursor);
    return get<History>(`${PREDICTIONS}?${query}`, signal);
  },
  feedback: (id: string, signal?: AbortSignal) => get<FeedbackList>(`${at(id)}/feedback`, signal),
  disagreements(cursor: string | null, signal?: AbortSignal) {
    const query = new URLSearchParams({ limit: "50", agrees: "false" });
    if (cursor !== null) query.set("cursor", cursor);
    return get<FeedbackPage>(`/v1/feedback?${query}`, signal);
  },
  worklist: (signal?: AbortSignal) => get<Worklist>("/v1/worklist", signal),
  giveFeedback: (id: string, given: FeedbackGiven) => post<Feedback>(`${at(id)}/feedback`, given),
  /** Of the days to today, which begin and end at midnight UTC. */
  monitoring(id: string | undefined, days: number, signal?: AbortSignal) {
    const from = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
    return get<Monitoring>(`/v1/monitoring?${new URLSearchParams({ from, ...(id ? { model: id } : {}) })}`, signal);
  },
  models: () => get<ModelList>("/v1/models"),
  modelDetail: (id: string) => get<ModelDetail>(model(id)),
  compare: (a: string, b: string) => get<Comparison>(`/v1/models/compare?${new URLSearchParams({ a, b })}`),
  promote: (id: string) => post<Promotion>(`${model(id)}/promote`),
  rollBack: () => post<Promotion>("/v1/models/rollback"),
};
