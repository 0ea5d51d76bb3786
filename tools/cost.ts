import { readdirSync } from "node:fs";
import { join } from "node:path";
import { timesAMonth } from "../constructs/core/cron";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import { parseLines } from "../stacks/app";
import { chooseLines, LINES_HELP, type LinesChoice } from "../stacks/lines";
import { asRecord } from "../stacks/sentences";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { withStacks } from "./synthesize";
import { type Json, readJson, type SynthesizedStack } from "./synthesized";
import { table } from "./table";
import { EXAMPLE_IMAGES, withTierStacks } from "./tiers";

export interface Price {
  readonly usd: number;
  readonly unit: string;
  readonly source: string;
  /** Whether the number was read off its source when the file was written. */
  readonly confirmed: boolean;
}

export interface PriceFile {
  /** YYYY-MM */
  readonly asOf: string;
  readonly region: string;
  readonly prices: Readonly<Record<string, Price>>;
}

/** What an estimate assumes about use; resources give the rest. */
export interface Use {
  readonly scansPerMonth: number;
  readonly trainingsPerMonth: number;
}

/** What a tier is used for, if nothing else is said. */
export const TIER_USE: Readonly<Record<string, Use>> = {
  prod: { scansPerMonth: 10_000, trainingsPerMonth: 4 },
  test: { scansPerMonth: 500, trainingsPerMonth: 1 },
  ephemeral: { scansPerMonth: 100, trainingsPerMonth: 1 },
};

const ASSUMED = {
  /** A slice as it lands, and its lossless PNG. */
  scanMiB: 0.5,
  curatedMiB: 0.15,
  monthsKept: 12,
  ingestSeconds: 1.5,
  predictionSeconds: 0.4,
  trainingHours: 1.5,
  /** Of the function that measures and promotes, for a training. */
  retrainSeconds: 900,
  /** That a workflow takes while it waits for a cluster and a machine; each look is an external step and some of its own. */
  retrainSteps: 1500,
  preprocessHours: 0.5,
  /** It waits two minutes for rows that are on their way. */
  sealSeconds: 150,
  /** A point has 8 bytes; a log metric has one for each minute in which it counted, here an hour a day. */
  logMetricMiB: (8 * 60 * 30) / 1024 ** 2,
  imageGiB: 4,
  logGiB: 1,
  logKiBPerScan: 20,
  keyOperationsPerScan: 20,
  /** Header of an instance, and the report of its answer. */
  healthcareKiB: 10,
  /** Stored, retrieved, and a transaction of five resources. */
  healthcareRequests: 7,
};
const HOURS = 730;

export interface CostItem {
  readonly service: string;
  /** What is counted, and how many of it stand in the stacks. */
  readonly what: string;
  /** USD a month, whatever is scanned. */
  readonly monthly: number;
  /** USD for 1,000 scans. */
  readonly perThousandScans: number;
}

/**
 * Estimates what a hospital's stacks cost, from their resources.
 * @param stacks its data and app stack
 */
export function estimate(stacks: readonly SynthesizedStack[], file: PriceFile, use: Use): CostItem[] {
  const usd = priceIn(file);
  const all = (type: string) => resourcesOf(stacks, type);
  const items: CostItem[] = [];
  const add = (service: string, what: string, monthly: number, perThousandScans = 0) => {
    if (monthly > 0 || perThousandScans > 0) items.push({ service, what, monthly, perThousandScans });
  };
  const thousand = 1000;

  const schedules = all("google_cloud_scheduler_job");
  const keys = all("google_kms_crypto_key");
  // A year of rotations: older versions still decrypt what they encrypted.
  const versions = keys.reduce(
    (sum, { rotation_period: period }) =>
      sum + (period ? 1 + Math.floor(365 / (Number.parseInt(String(period), 10) / 86_400)) : 1),
    0,
  );
  add(
    "Cloud KMS",
    `${keys.length} keys, ${versions} versions after a year`,
    versions * usd("kmsKeyVersionMonth"),
    thousand * ASSUMED.keyOperationsPerScan * usd("kmsOperation"),
  );

  const buckets = all("google_storage_bucket").length;
  const kept = ((ASSUMED.scanMiB + ASSUMED.curatedMiB) / 1024) * ASSUMED.monthsKept;
  if (buckets > 0)
    add(
      "Cloud Storage",
      `${buckets} buckets, a year of scans`,
      0,
      thousand * (kept * usd("storageStandardGiBMonth") + 6 * usd("storageWrite") + 12 * usd("storageRead")),
    );

  for (const config of all("google_cloudfunctions2_function")) {
    const service = block(config, "service_config");
    const second =
      Number(service.available_cpu ?? 1) * usd("runCpuSecond") +
      Number.parseFloat(String(service.available_memory)) * usd("runGiBSecond");
    // `example-ingest`, and the like.
    const name = String(config.name).split("-").at(-1);
    const size = `${name}, ${service.available_cpu} vCPU, ${service.available_memory}`;
    if (name === "retrain") add("Cloud Functions", size, use.trainingsPerMonth * ASSUMED.retrainSeconds * second);
    else add("Cloud Functions", size, 0, thousand * (ASSUMED.ingestSeconds * second + usd("runRequest")));
  }
  for (const config of all("google_cloud_run_v2_service")) {
    const template = block(config, "template");
    const limits = asRecord(block(block(template, "containers"), "resources").limits);
    const cpu = Number(limits.cpu ?? 1);
    const memory = Number.parseFloat(String(limits.memory ?? "0.5"));
    const least = Number(block(template, "scaling").min_instance_count ?? 0);
    const idle = least * 3600 * HOURS * (cpu * usd("runIdleCpuSecond") + memory * usd("runGiBSecond"));
    add(
      "Cloud Run",
      `serve, ${cpu} vCPU, ${memory} GiB, at least ${least}`,
      idle,
      thousand *
        (ASSUMED.predictionSeconds * (cpu * usd("runCpuSecond") + memory * usd("runGiBSecond")) + usd("runRequest")),
    );
  }
  const stores = all("google_healthcare_dicom_store").length;
  if (stores > 0)
    add(
      "Healthcare API",
      "a year of instances, their metadata, a report of each",
      0,
      thousand *
        ((ASSUMED.scanMiB / 1024) * ASSUMED.monthsKept * usd("healthcareBlobGiBMonth") +
          (ASSUMED.healthcareKiB / 1024 ** 2) * ASSUMED.monthsKept * usd("healthcareStructuredGiBMonth") +
          ASSUMED.healthcareRequests * usd("healthcareRequest")),
    );
  for (const config of all("google_cloud_run_v2_job")) {
    const limits = asRecord(
      block(block(block(block(config, "template"), "template"), "containers"), "resources").limits,
    );
    const second =
      Number(limits.cpu ?? 1) * usd("runCpuSecond") +
      Number.parseFloat(String(limits.memory ?? "0.5")) * usd("runGiBSecond");
    const seals = schedules
      .filter((job) => String(block(job, "http_target").uri).includes("/jobs/"))
      .reduce((times, { schedule }) => times + timesAMonth(String(schedule)), 0);
    add(
      "Cloud Run",
      `${seals.toFixed(0)} seals of the log, ${ASSUMED.sealSeconds} s each`,
      seals * ASSUMED.sealSeconds * second,
    );
  }
  const connectors = all("google_vpc_access_connector");
  const machines = connectors.reduce((sum, { min_instances: least }) => sum + Number(least), 0);
  add("Serverless VPC Access", `${machines} e2-micro, always there`, machines * HOURS * usd("e2MicroHour"));

  const topics = all("google_pubsub_topic").length;
  if (topics > 0) add("Pub/Sub", `${topics} topics`, 0, thousand * (4 / 1024 ** 2) * 2 * usd("pubsubGiB"));

  for (const config of all("google_compute_instance_template")) {
    const type = String(config.machine_type);
    const gpus = blocks(config, "guest_accelerator").reduce((sum, { count }) => sum + Number(count), 0);
    // A machine that comes with its GPU is sold as a whole.
    const machine = file.prices[type]?.usd ?? machineHour(type, usd) + gpus * usd("t4Hour");
    const disk = (Number(block(config, "disk").disk_size_gb ?? 0) * usd("balancedDiskGiBMonth")) / HOURS;
    const hours = use.trainingsPerMonth * ASSUMED.trainingHours;
    const cap = Number(block(block(config, "scheduling"), "max_run_duration").seconds ?? 0) / 3600;
    add(
      "Compute Engine",
      `${use.trainingsPerMonth} trainings of ${ASSUMED.trainingHours} h (capped at ${cap.toFixed(1)} h), ${type}, ${gpus} GPU`,
      hours * (machine + disk),
    );
  }
  const workflows = all("google_workflows_workflow").length;
  if (workflows > 0)
    add(
      "Workflows",
      `${use.trainingsPerMonth} retrainings`,
      workflows * use.trainingsPerMonth * ASSUMED.retrainSteps * usd("workflowStep"),
    );
  for (const config of all("google_dataproc_workflow_template")) {
    const cluster = block(block(block(config, "placement"), "managed_cluster"), "config");
    const groups = ["master_config", "worker_config"].map((name) => block(cluster, name));
    const hour = groups.reduce((sum, group) => {
      const type = String(group.machine_type);
      const count = Number(group.num_instances ?? 1);
      const disk = (Number(block(group, "disk_config").boot_disk_size_gb ?? 0) * usd("balancedDiskGiBMonth")) / HOURS;
      return sum + count * (machineHour(type, usd) + shape(type).cpus * usd("dataprocCpuHour") + disk);
    }, 0);
    const runs = use.trainingsPerMonth + scheduledRuns(schedules);
    add(
      "Dataproc",
      `${runs.toFixed(0)} runs of ${ASSUMED.preprocessHours} h, ${groups.length} groups of machines`,
      runs * ASSUMED.preprocessHours * hour,
    );
  }
  add("Cloud Scheduler", `${schedules.length} schedules`, schedules.length * usd("schedulerJobMonth"));

  const repositories = all("google_artifact_registry_repository").length;
  add(
    "Artifact Registry",
    `${repositories} repositories, ${ASSUMED.imageGiB} GiB each at most`,
    repositories * ASSUMED.imageGiB * usd("artifactGiBMonth"),
  );
  const tables = all("google_bigquery_table").filter((config) => blocks(config, "view").length === 0).length;
  if (tables > 0)
    add("BigQuery", `${tables} tables`, 0, thousand * (4 / 1024 ** 2) * ASSUMED.monthsKept * usd("bigqueryGiBMonth"));
  // Each project has its audit logs once; those of the project that ephemeral environments share are bootstrap's.
  const projects = auditedProjects(stacks);
  add(
    "Cloud Logging",
    `audit logs of ${projects} projects, service logs`,
    projects * ASSUMED.logGiB * usd("loggingGiB"),
    thousand * (ASSUMED.logKiBPerScan / 1024 ** 2) * usd("loggingGiB"),
  );
  const zones = all("google_dns_managed_zone").length;
  add("Cloud DNS", `${zones} zones`, zones * usd("dnsZoneMonth"));
  const conditions = all("google_monitoring_alert_policy").reduce(
    (sum, policy) => sum + blocks(policy, "conditions").length,
    0,
  );
  add("Cloud Monitoring", `${conditions} alert conditions`, conditions * usd("alertConditionMonth"));
  const counters = all("google_logging_metric").length;
  add("Cloud Monitoring", `${counters} log metrics`, counters * ASSUMED.logMetricMiB * usd("logMetricMiB"));
  for (const config of all("google_monitoring_uptime_check_config")) {
    const seconds = Number.parseInt(String(config.period ?? "300s"), 10);
    add("Cloud Monitoring", "uptime check from three regions", ((HOURS * 3600) / seconds) * 3 * usd("uptimeExecution"));
  }
  const rules = all("google_compute_global_forwarding_rule").length + all("google_compute_forwarding_rule").length;
  add("Load Balancing", `${rules} forwarding rules`, rules > 0 ? HOURS * usd("forwardingRuleHour") : 0);
  const policies = all("google_compute_security_policy").length;
  add("Cloud Armor", `${policies} security policies`, policies * usd("armorPolicyMonth"));
  const gateways = all("google_compute_router_nat").length;
  add(
    "Cloud NAT",
    `${gateways} gateways, while a machine runs`,
    gateways * use.trainingsPerMonth * ASSUMED.trainingHours * usd("natVmHour"),
  );
  return items;
}

/**
 * Estimates what one of the two stacks of the platform costs. No scan goes through them; what grows is the archive of
 * everybody's audit logs.
 * @param projects how many projects send their audit logs
 */
export function estimatePlatform(stack: SynthesizedStack, file: PriceFile, projects: number): CostItem[] {
  const items = estimate([stack], file, { scansPerMonth: 0, trainingsPerMonth: 0 });
  const archives = resourcesOf([stack], "google_storage_bucket").filter(
    ({ retention_policy: retention }) => retention !== undefined,
  );
  const gib = projects * ASSUMED.logGiB * ASSUMED.monthsKept;
  return [
    ...items.filter(({ monthly }) => monthly > 0).map((item) => ({ ...item, perThousandScans: 0 })),
    ...archives.map(() => ({
      service: "Cloud Storage",
      what: `log archive, a year of audit logs of ${projects} projects`,
      monthly: gib * priceIn(file)("storageStandardGiBMonth"),
      perThousandScans: 0,
    })),
  ];
}

function priceIn(file: PriceFile): (name: string) => number {
  return (name) => {
    const price = file.prices[name];
    if (!price) throw new ConfigurationError("The price file", [`It has no price "${name}".`]);
    return price.usd;
  };
}

const resourcesOf = (stacks: readonly SynthesizedStack[], type: string): Json[] =>
  stacks.flatMap(({ json }) => Object.values(asRecord(asRecord(json.resource)[type])).map(asRecord));

/** How often a month the schedules start a workflow; one that is paused starts none. */
const scheduledRuns = (schedules: readonly Json[]) =>
  schedules
    .filter((job) => job.paused !== true && String(block(job, "http_target").uri).includes("/workflowTemplates/"))
    .reduce((runs, { schedule }) => runs + timesAMonth(String(schedule)), 0);

/** The projects whose audit logs are kept. */
const auditedProjects = (stacks: readonly SynthesizedStack[]) =>
  resourcesOf(stacks, "google_project_iam_audit_config").length;

/** vCPUs and GiB of a standard or highmem machine type. */
function shape(type: string): { readonly family: "n1" | "n2"; readonly cpus: number; readonly gib: number } {
  const [, family, kind, count] = /^(n1|n2)-(standard|highmem)-(\d+)$/.exec(type) ?? [];
  if (family === undefined || count === undefined)
    throw new ConfigurationError("The price file", [`It has no price for machine type "${type}".`]);
  const each = { n1: { standard: 3.75, highmem: 6.5 }, n2: { standard: 4, highmem: 8 } } as const;
  const cpus = Number(count);
  return {
    family: family as "n1" | "n2",
    cpus,
    gib: cpus * each[family as "n1" | "n2"][kind as "standard" | "highmem"],
  };
}

function machineHour(type: string, usd: (name: string) => number): number {
  const { family, cpus, gib } = shape(type);
  return cpus * usd(`${family}CpuHour`) + gib * usd(`${family}GiBHour`);
}

/** The newest price file of a folder. */
export function readPrices(folder: string = join(repositoryRoot(), "docs")): PriceFile {
  const newest = readdirSync(folder)
    .filter((name) => /^prices-\d{4}-\d{2}\.json$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined)
    throw new ConfigurationError("The price file", [`There is no prices-YYYY-MM.json in ${folder}.`]);
  return readJson(join(folder, newest), "The price file") as unknown as PriceFile;
}

/** The command `npm run cost`. */
export async function cost(args: readonly string[]): Promise<number> {
  const program = tool(
    "cost",
    "Estimates what hospitals and the platform cost, a month and for 1,000 scans, from their synthesized resources: an example of each tier, or your own.",
  )
    .option("--hospitals <file>", "a list of hospitals (JSON or TypeScript) in place of the examples")
    .option("--platform <file>", LINES_HELP.platform)
    .option("--prices <file>", "a price file in place of the newest docs/prices-YYYY-MM.json")
    .option("--scans <n>", "scans a month of each hospital, in place of its tier's own assumption")
    .option("--details", "with --hospitals: also what each sum is made of")
    .option("--json", "print the items as JSON");
  return runTool(
    program,
    () => {
      const options = program.opts<CostOptions>();
      if (options.scans !== undefined && !/^\d+$/.test(options.scans))
        throw new ConfigurationError("The command line", [`--scans is "${options.scans}"; it must be a whole number.`]);
      const prices = options.prices
        ? (readJson(options.prices, "The price file") as unknown as PriceFile)
        : readPrices();
      const estimates = estimateAll(options, prices);
      if (options.json) print(JSON.stringify({ asOf: prices.asOf, estimates, total: totalOf(estimates) }, null, 2));
      else {
        if (options.details || options.hospitals === undefined)
          for (const each of estimates) print(`${showEstimate(each)}\n`);
        print(`${showTotals(estimates)}\n\n${footnote(prices)}`);
      }
      return EXIT.done;
    },
    args,
  );
}

interface CostOptions extends LinesChoice {
  readonly prices?: string;
  readonly scans?: string;
  readonly details?: boolean;
  readonly json?: boolean;
}

interface Estimate {
  /** A hospital, or a stack of the platform. */
  readonly name: string;
  /** Of a hospital; the platform has none. */
  readonly tier: string | undefined;
  readonly use: Use;
  readonly items: readonly CostItem[];
}

function estimateAll(options: CostOptions, prices: PriceFile): Estimate[] {
  const work = (hospitals: readonly NameAndTier[]) => (stacks: readonly SynthesizedStack[]) => [
    ...hospitals.map(({ name, tier }): Estimate => {
      const use = { ...useOf(tier), ...(options.scans ? { scansPerMonth: Number(options.scans) } : {}) };
      const own = stacks.filter((stack) => stack.name === `${name}-data` || stack.name === `${name}-app`);
      return { name, tier, use, items: estimate(own, prices, use) };
    }),
    ...stacks
      .filter(({ name }) => name === "bootstrap" || name === "platform")
      .map((stack): Estimate => {
        const items = estimatePlatform(stack, prices, auditedProjects(stacks));
        return { name: stack.name, tier: undefined, use: { scansPerMonth: 0, trainingsPerMonth: 0 }, items };
      }),
  ];
  if (options.hospitals === undefined)
    return withTierStacks(undefined, work(Object.keys(TIER_USE).map((tier) => ({ name: tier, tier }))));
  // As if every image were there: what it will cost, not what a first deploy leaves out.
  const app = { images: EXAMPLE_IMAGES, variables: {} };
  const { hospitals, platform } = options;
  const parsed = parseLines(chooseLines({ hospitals, platform }));
  return withStacks({ hospitals, platform }, work(parsed.hospitals), { policy: false, app });
}

interface NameAndTier {
  readonly name: string;
  readonly tier: string;
}

function useOf(tier: string): Use {
  const use = TIER_USE[tier];
  if (!use) throw new Error(`It is not known what a hospital of tier "${tier}" is used for.`);
  return use;
}

const sum = (items: readonly CostItem[], key: "monthly" | "perThousandScans") =>
  items.reduce((total, item) => total + item[key], 0);

/** USD a month, with the scans that are assumed. */
const monthOf = ({ use, items }: Estimate) =>
  sum(items, "monthly") + (use.scansPerMonth / 1000) * sum(items, "perThousandScans");
const totalOf = (estimates: readonly Estimate[]) => estimates.reduce((total, each) => total + monthOf(each), 0);

function showEstimate(estimated: Estimate): string {
  const { name, tier, use, items } = estimated;
  const rows = items.map(({ service, what, monthly, perThousandScans }) => [
    service,
    what,
    monthly.toFixed(2),
    perThousandScans.toFixed(3),
  ]);
  const last = [
    "Sum",
    `${monthOf(estimated).toFixed(2)} USD a month${tier ? " with these scans" : ""}`,
    sum(items, "monthly").toFixed(2),
    sum(items, "perThousandScans").toFixed(3),
  ];
  return [
    tier
      ? `${name === tier ? "Tier" : `${name}, tier`} ${tier}: ${use.scansPerMonth} scans and ${use.trainingsPerMonth} trainings a month`
      : `Stack ${name}, for all hospitals`,
    table(
      [
        { title: "SERVICE", width: 18 },
        { title: "WHAT", width: 72 },
        { title: "USD A MONTH", width: 12, align: "right" },
        { title: "USD FOR 1,000 SCANS", width: 19, align: "right" },
      ],
      [...rows, last],
    ),
  ].join("\n");
}

function showTotals(estimates: readonly Estimate[]): string {
  const rows = estimates.map((each) => [
    each.name,
    each.tier ?? "",
    each.tier ? String(each.use.scansPerMonth) : "",
    sum(each.items, "monthly").toFixed(2),
    sum(each.items, "perThousandScans").toFixed(3),
    monthOf(each).toFixed(2),
  ]);
  return table(
    [
      { title: "NAME", width: 30 },
      { title: "TIER", width: 10 },
      { title: "SCANS A MONTH", width: 14, align: "right" },
      { title: "FIXED USD", width: 12, align: "right" },
      { title: "USD FOR 1,000 SCANS", width: 19, align: "right" },
      { title: "USD A MONTH", width: 12, align: "right" },
    ],
    [...rows, ["All", "", "", "", "", totalOf(estimates).toFixed(2)]],
  );
}

function footnote({ asOf, region, prices }: PriceFile): string {
  const open = Object.entries(prices)
    .filter(([, { confirmed }]) => !confirmed)
    .map(([name]) => name);
  return `List prices of ${asOf} in ${region}, without free tiers and discounts; sources stand in the price file. Not confirmed there: ${open.join(", ") || "none"}.`;
}

const blocks = (config: Json, name: string): Json[] => {
  const value = config[name];
  return Array.isArray(value) ? value.map(asRecord) : value === undefined ? [] : [asRecord(value)];
};
const block = (config: Json, name: string): Json => blocks(config, name)[0] ?? {};

ifMain(module, cost);
