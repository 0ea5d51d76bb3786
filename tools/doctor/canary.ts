import { bucketName } from "../../constructs/core/naming";
import { isCanaryRevision, PIN } from "../../runtime/platform/cloud-run";
import { DAY_MS } from "../../runtime/platform/day";
import { type Canary, currentCanary, currentModel, isOpen, type PointerReader } from "../../runtime/registry";
import type { Runner } from "../gcloud";
import { askFor, type Check, type Finding, failed, ok } from "./checkup";
import { type Service, whereOf } from "./run-service";

/** A model on trial that nobody has advanced for longer is one that was left. */
const STALE_DAYS = 7;
/** A start waits for two revisions, ten minutes each at most. */
const START_MS = 3_600_000;

const CANARY = "npm run models -- canary";
const ADVANCE = `${CANARY} advance puts it right, ${CANARY} abort takes the model back.`;
const ABORT = `${CANARY} abort`;
/** What `advance` does not see: it looks at the share of the canary's own revision alone. */
const AFRESH = `${ABORT} gives all requests back to what is deployed and mends the template; then start it again.`;

/**
 * Whether a model that is tried out is one that somebody looks after: the record that the commands keep, and the shares and
 * the template that the service has.
 */
export const canary: Check = async ({ hospital, declared, dry, run }) => {
  if (dry) return [];
  const models = gcloudPointers(run, bucketName(hospital, "models"));
  const findings: Finding[] = [];
  for (const config of declared.ofType("google_cloud_run_v2_service")) {
    const service = askFor<Service>(run, ["gcloud", "run", "services", "describe", ...whereOf(config)]);
    if (!service) continue;
    const [record, current] = await Promise.all([currentCanary(models), currentModel(models)]);
    const seen: Seen = {
      record: record && isOpen(record) ? record : undefined,
      current: current?.model,
      shares: sharesOf(String(config.name), service),
      pinned: service.spec?.template?.spec?.containers?.[0]?.env?.some(({ name }) => name === PIN) ?? false,
      exists: (revision) =>
        askFor(run, ["gcloud", "run", "revisions", "describe", ...whereOf({ ...config, name: revision })]) !==
        undefined,
    };
    const [says, todo] = faultOf(seen, Date.now()) ?? [];
    findings.push(
      says === undefined || todo === undefined ? ok("canary", standing(seen)) : failed("canary", says, todo),
    );
  }
  return findings;
};

interface Seen {
  /** Undefined where no model is being tried out. */
  readonly record: Canary | undefined;
  readonly current: string | undefined;
  /** Percent of the requests, of each revision of a canary that has some. */
  readonly shares: ReadonlyMap<string, number>;
  /** Whether the template of the service has a canary's environment. */
  readonly pinned: boolean;
  exists(revision: string): boolean;
}

function standing({ record }: Seen): string {
  if (!record) return "No model is being tried out.";
  const { candidate, stable, mode, share, state, startedAt } = record;
  if (state === "starting") return `${candidate} is being started beside ${stable} since ${startedAt}.`;
  const place = mode === "shadow" ? "as a shadow" : `on ${share} % of the requests`;
  return `${candidate} is tried out beside ${stable}, ${place}, since ${startedAt}.`;
}

/** What is wrong, and what to do; undefined where nothing is. */
function faultOf(seen: Seen, now: number): readonly [says: string, todo: string] | undefined {
  const { record, current, shares, pinned } = seen;
  const strangers = [...shares].filter(([revision]) => revision !== record?.revision);
  const whose = strangers.map(([revision, share]) => `${revision} (${share} % of the requests)`).join(", ");
  const left = `The template of the service has ${PIN}, which a start that was ended left there: the next revision would answer with a canary's model`;
  if (!record) {
    if (strangers.length > 0)
      return [`No model is being tried out by what is written down, and a canary's revision answers: ${whose}.`, ABORT];
    return pinned ? [`${left}.`, ABORT] : undefined;
  }
  const { candidate, stable, mode, state, share, revision, startedAt, shareSince, look } = record;
  if (state === "starting") {
    if (now - Date.parse(startedAt) < START_MS) return undefined;
    const again = `${CANARY} start ${candidate} goes on with it, ${ABORT} takes it back.`;
    return [`${candidate} was begun at ${startedAt} and not started to the end.`, again];
  }
  if (current === candidate)
    return [`${candidate} is the current model, and still written down as being tried out.`, `${CANARY} advance`];
  if (current !== stable)
    return [
      `The current model is ${current ?? "none"} now, and ${candidate} is compared with ${stable}: nothing goes on.`,
      `${ABORT}, and start it again.`,
    ];
  if (pinned) return [`${left}.`, AFRESH];
  if (strangers.length > 0)
    return [
      `A canary's revision answers of which nothing is written down: ${whose}.`,
      mode === "traffic" ? AFRESH : `${ABORT}, without --service and then with it`,
    ];
  if (revision !== null) {
    const given = shares.get(revision) ?? 0;
    if (given === 0 && !seen.exists(revision))
      return [
        `${candidate} has ${share} % of the requests by what is written down, and there is no ${revision}.`,
        ABORT,
      ];
    if (given !== share)
      return [`${candidate} has ${share} % of the requests by what is written down, and ${given} % in truth.`, ADVANCE];
  }
  const lookedAt = look && look.at > shareSince ? look.at : shareSince;
  const days = Math.floor((now - Date.parse(lookedAt)) / DAY_MS);
  if (days < STALE_DAYS) return undefined;
  const place = mode === "shadow" ? `is asked beside ${stable} as a shadow` : `has ${share} % of the requests`;
  return [
    `${candidate} ${place} since ${shareSince}, and for ${days} days nobody has advanced it.`,
    `${CANARY} status says what is missing, ${CANARY} advance does what the change plan says, ${ABORT} takes it back.`,
  ];
}

function sharesOf(name: string, { spec }: Service): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const { revisionName = "", percent = 0 } of spec?.traffic ?? [])
    if (percent > 0 && isCanaryRevision(name, revisionName))
      shares.set(revisionName, (shares.get(revisionName) ?? 0) + percent);
  return shares;
}

/** The pointers of a bucket of models, by what the command line of Google Cloud reads. */
function gcloudPointers(run: Runner, bucket: string): PointerReader {
  const describe = (url: string) =>
    askFor<{ readonly generation?: string | number }>(run, ["gcloud", "storage", "objects", "describe", url]);
  return {
    stat: async (name) => {
      const found = describe(`gs://${bucket}/${name}`);
      return found && { generation: Number(found.generation) };
    },
    read: async (name, { generation }) =>
      Buffer.from(run(["gcloud", "storage", "cat", `gs://${bucket}/${name}#${generation}`])),
  };
}
