import { randomUUID } from "node:crypto";
import { type Act, writeAct } from "../audit";
import type { BadLine, FeedbackLine, FeedbackTable, Identities } from "../intake";
import { DAY_MS } from "../platform/day";
import type { Progress } from "../platform/progress";
import { ANSWERS_BY_REQUEST, ANSWERS_OF_ACCESSIONS, type Warehouse } from "../platform/warehouse";
import { Accessions, type AnswerOfStudy, saidOfStudy } from "./kept/accessions";
import { type Answered, FeedbackBook, type GivenOnce, type Said } from "./kept/feedback";
import type { KeptStore } from "./kept/time-index";

/** Where feedback goes, and in whose name. */
export interface FeedbackTaking {
  readonly reports: KeptStore;
  readonly warehouse: Warehouse;
  readonly who: string;
  /** Whether an administrator confirms all of it. */
  readonly confirm: boolean;
  /** Only say what would become of it. */
  readonly dry: boolean;
  /** Opened where an accession number is to be replaced. */
  readonly identities: () => Promise<Identities>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What became of a table of feedback. Of a study each answer counts. */
export interface FeedbackTaken {
  /** Lines with something in them. */
  readonly rows: number;
  readonly added: number;
  /** What the person had said already, and what there was to take back of nothing. */
  readonly unchanged: number;
  /** Lines that were not taken, and why; those that were taken in part are not among them. */
  readonly bad: readonly BadLine[];
  /** Columns that mean nothing here. */
  readonly ignored: readonly string[];
}

/** Answers that are asked for at once. */
const AT_ONCE = 500;
/** Chains that are written side by side. */
const SIDE_BY_SIDE = 8;

interface Wanted extends Said {
  readonly line: number;
}

/**
 * Takes in what a table of feedback says; see {@link FeedbackBook.giveOnce} for what is there already. What two lines say of
 * one thing has to be the same: else neither is taken. Interrupted, it can be begun anew.
 */
export async function takeFeedback(table: FeedbackTable, taking: FeedbackTaking): Promise<FeedbackTaken> {
  const { progress, signal, dry, who } = taking;
  const { wanted, bad } = withoutContradictions(await find(table.lines, taking));
  const book = new FeedbackBook(taking.reports, taking.warehouse);
  const request = randomUUID();
  const counts: Record<GivenOnce["kind"], number> = { added: 0, there: 0, nothing: 0, superseded: 0 };
  const earlier = new Map<number, string>();
  progress.start(wanted.length);
  const rest = [...wanted];
  const worker = async () => {
    for (let said = rest.shift(); said; said = rest.shift()) {
      signal.throwIfAborted();
      let given = await book.giveOnce(said, true);
      if (given.kind === "added" && !dry) {
        // Who did what is written down before it is done, as the service does it.
        await writeAct(taking.warehouse, act(request, who, said));
        given = await book.giveOnce(said);
      }
      counts[given.kind]++;
      if (given.kind === "superseded") earlier.set(said.line, given.at);
      progress.advance();
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  progress.finish();
  const superseded = [...earlier].map(([line, at]) => ({
    line,
    reason: `${who} said this before, and something else since, on ${at}: that stands. To say it again, write a comment beside it.`,
  }));
  return {
    rows: new Set([...table.lines, ...table.bad].map(({ line }) => line)).size,
    added: counts.added,
    unchanged: counts.there + counts.nothing,
    bad: [...table.bad, ...bad, ...superseded].sort((a, b) => a.line - b.line),
    ignored: table.ignored,
  };
}

const act = (request: string, who: string, { answer, given }: Said): Act => ({
  ...{ request, action: "feedback", who, role: given.confirm ? "admin" : "clinician", subject: answer.id },
  ...{ sha256: null, model: null, recipe: null, result: "by file" },
});

/** The answers that lines are about. */
async function find(
  lines: readonly FeedbackLine[],
  taking: FeedbackTaking,
): Promise<{ readonly wanted: readonly Wanted[]; readonly bad: readonly BadLine[] }> {
  const requests = lines.flatMap(({ about }) => ("request" in about ? [about.request] : []));
  const byRequest = await answersByRequest(requests, taking);
  const accessions = lines.flatMap(({ about }) => ("accession" in about ? [about.accession] : []));
  const byAccession = await answersByAccession(accessions, taking);
  const wanted: Wanted[] = [];
  const bad: BadLine[] = [];
  for (const { line, about, label, comment } of lines) {
    const given = {
      label,
      ...(comment === undefined ? {} : { comment }),
      ...(taking.confirm ? { confirm: true } : {}),
    };
    const said = { line, given, who: taking.who };
    if ("request" in about) {
      const answer = byRequest.get(about.request);
      if (answer) wanted.push({ ...said, answer, scope: undefined });
      else bad.push({ line, reason: `no answer has the request ${about.request}.` });
      continue;
    }
    const answers = byAccession.get(about.accession) ?? [];
    if (answers.length === 0) bad.push({ line, reason: NO_STUDY });
    for (const answer of answers) wanted.push({ ...said, answer, scope: "study" });
  }
  return { wanted, bad };
}

/** Does not repeat the number: whoever has the file has it, and logs are read by others. */
const NO_STUDY =
  "no answer is of a study with its accession number. Look whether it is as in the scans' headers, whether they were answered, and whether PSEUDONYM_KEY is the key that they were answered under.";

/** Lines about one thing that say the same are one, with the last comment; those that contradict each other are none. */
function withoutContradictions({ wanted, bad }: Awaited<ReturnType<typeof find>>) {
  const chains = new Map<string, Wanted[]>();
  for (const said of wanted) {
    const key = `${said.answer.id} ${said.scope}`;
    chains.set(key, [...(chains.get(key) ?? []), said]);
  }
  const problems = new Map<number, string>();
  for (const chain of chains.values()) {
    if (new Set(chain.map(({ given }) => given.label)).size === 1) continue;
    const lines = [...new Set(chain.map(({ line }) => line))];
    for (const line of lines)
      problems.set(line, `lines ${lines.join(" and ")} say different things of one scan, and none of them is taken.`);
  }
  const last = [...chains.values()].flatMap((chain) => chain.at(-1) ?? []);
  return {
    wanted: last.filter(({ line }) => !problems.has(line)),
    bad: [...bad, ...[...problems].map(([line, reason]) => ({ line, reason }))],
  };
}

async function answersByRequest(
  requests: readonly string[],
  { warehouse, signal }: FeedbackTaking,
): Promise<ReadonlyMap<string, Answered>> {
  const found = new Map<string, Answered>();
  for (const some of portions(requests)) {
    signal.throwIfAborted();
    for (const { request, id, label } of await warehouse.ask(ANSWERS_BY_REQUEST, { requests: some, before: before() }))
      found.set(request, { request, id, label: label as Answered["label"] });
  }
  return found;
}

/** By the number in the clear: of scans that were sent to the service, and of those that are curated and were scored. */
async function answersByAccession(
  numbers: readonly string[],
  { reports, warehouse, identities, signal }: FeedbackTaking,
): Promise<ReadonlyMap<string, readonly AnswerOfStudy[]>> {
  if (numbers.length === 0) return new Map();
  const names = await (await identities()).of(undefined);
  const pseudonyms = new Map([...new Set(numbers)].map((number) => [number, names.accession(number)]));
  const scored = new Map<string, AnswerOfStudy[]>();
  for (const accessions of portions([...pseudonyms.values()])) {
    signal.throwIfAborted();
    for (const row of await warehouse.ask(ANSWERS_OF_ACCESSIONS, { accessions, before: before() })) {
      const { accession, predicted_at, label, ...answer } = row;
      const at = new Date(predicted_at).toISOString();
      scored.set(accession, [...(scored.get(accession) ?? []), { ...answer, label: label as Answered["label"], at }]);
    }
  }
  const sent = new Accessions(reports);
  const found = new Map<string, readonly AnswerOfStudy[]>();
  for (const [number, pseudonym] of pseudonyms) {
    signal.throwIfAborted();
    found.set(number, saidOfStudy([...(await sent.of(pseudonym)), ...(scored.get(pseudonym) ?? [])]));
  }
  return found;
}

function* portions(names: readonly string[]): Generator<string> {
  const distinct = [...new Set(names)];
  for (let start = 0; start < distinct.length; start += AT_ONCE) yield distinct.slice(start, start + AT_ONCE).join(" ");
}

/** Clocks differ: later than any answer. */
const before = () => new Date(Date.now() + 2 * DAY_MS).toISOString().slice(0, 10);
