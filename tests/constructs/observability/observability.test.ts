import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "../../../constructs/core/cdktf";
import type { Indicator, MonitoringContribution } from "../../../constructs/core/monitoring";
import { dashboardJson, Observability, type ObservabilityProps } from "../../../constructs/observability";
import { failedAnswersFilter, failedAnswersMetric } from "../../../runtime/platform/cloud-run";
import { parseHospitals } from "../../../stacks/config";
import { type Json, NOTHING_PUSHED, PROD, ref, SynthesizedStack, stackOf, synthesize } from "../../stacks/synthesize";

/** One stack with nothing but what is watched. */
function watch(props: Omit<ObservabilityProps, "hospital">): SynthesizedStack {
  const outdir = mkdtempSync(join(tmpdir(), "observability-"));
  try {
    const app = new App({ outdir, stackTraces: false });
    const stack = new TerraformStack(app, "stack");
    new GoogleProvider(stack, "google", { project: PROD.project });
    new Observability(stack, "observability", { hospital: PROD, ...props });
    app.synth();
    const text = readFileSync(join(outdir, "stacks/stack/cdk.tf.json"), "utf8");
    return new SynthesizedStack(text, JSON.parse(text) as Json);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

const refused: MonitoringContribution = {
  logMetrics: [{ name: "refused", description: "Uploads that were refused", filter: "severity=ERROR" }],
  alerts: [
    {
      name: "refused",
      title: "Uploads are refused",
      documentation: "Look into quarantine.",
      severity: "WARNING",
      series: { logMetric: "refused", resourceType: "cloud_run_revision", periodSeconds: 300 },
      comparison: "COMPARISON_GT",
      threshold: 10,
      durationSeconds: 60,
    },
    {
      name: "waiting",
      title: "Uploads wait",
      documentation: "Look at the function.",
      severity: "ERROR",
      series: { filter: "f", aligner: "ALIGN_MAX", periodSeconds: 300, reducer: "REDUCE_MAX" },
      comparison: "COMPARISON_GT",
      threshold: 3600,
      durationSeconds: 0,
    },
  ],
  charts: [],
};

test("an alert becomes a policy that says what to do, after the metric that it is about, and goes to every channel", () => {
  const stack = watch({ contributions: [refused], emails: ["a@example.org", "b@example.org"] });
  const [metric] = stack.resources("google_logging_metric");
  expect(metric?.config).toMatchObject({
    name: "st-anna-refused",
    filter: "severity=ERROR",
    metric_descriptor: { metric_kind: "DELTA", value_type: "INT64" },
  });
  const channels = stack.resources("google_monitoring_notification_channel");
  expect(channels.map(({ config }) => config.labels)).toEqual([
    { email_address: "a@example.org" },
    { email_address: "b@example.org" },
  ]);
  const [policy, threshold, ...others] = stack.resources("google_monitoring_alert_policy");
  expect(others).toEqual([]);
  expect(policy?.config).toMatchObject({
    display_name: "st-anna-refused",
    severity: "WARNING",
    documentation: {
      content: "Look into quarantine.\n\nRunbook: docs/runbooks.md, refused.",
      mime_type: "text/markdown",
    },
    notification_channels: channels.map(
      ({ logicalId }) => `\${google_monitoring_notification_channel.${logicalId}.id}`,
    ),
  });
  expect(policy?.config.depends_on).toContain(`google_logging_metric.${metric?.logicalId}`);
  expect(threshold?.config).toMatchObject({
    display_name: "st-anna-waiting",
    conditions: [
      {
        condition_threshold: {
          filter: "f",
          comparison: "COMPARISON_GT",
          threshold_value: 3600,
          duration: "0s",
          aggregations: [
            { alignment_period: "300s", per_series_aligner: "ALIGN_MAX", cross_series_reducer: "REDUCE_MAX" },
          ],
        },
      },
    ],
  });
});

test("a policy over a log metric can be made in the same apply: nobody asks whether the metric is there yet", () => {
  const [policy] = watch({ contributions: [refused] }).resources("google_monitoring_alert_policy");
  expect(policy?.config.conditions).toEqual([
    {
      display_name: "Uploads are refused",
      condition_prometheus_query_language: {
        query:
          'sum(increase(logging_googleapis_com:user_st_anna_refused{monitored_resource="cloud_run_revision"}[300s])) > 10',
        duration: "60s",
        evaluation_interval: "30s",
        disable_metric_validation: true,
      },
    },
  ]);
});

test("a count that may be too low counts as nothing where there was an entry before, and not where there never was one", () => {
  const [alert] = refused.alerts;
  const series = { logMetric: "refused", resourceType: "r", periodSeconds: 60, onceWithinSeconds: 600 };
  const rare = { ...alert, series, comparison: "COMPARISON_LT", threshold: 1 } as (typeof refused.alerts)[number];
  const [policy] = watch({ contributions: [{ ...refused, alerts: [rare] }] }).resources(
    "google_monitoring_alert_policy",
  );
  const count = (seconds: number) =>
    `sum(increase(logging_googleapis_com:user_st_anna_refused{monitored_resource="r"}[${seconds}s]))`;
  expect(policy?.config.conditions).toMatchObject([
    { condition_prometheus_query_language: { query: `(${count(60)} or 0 * (${count(600)} > 0)) < 1` } },
  ]);
});

test("an alert over a log metric that nobody contributes is refused", () => {
  expect(() => watch({ contributions: [{ ...refused, logMetrics: [] }] })).toThrow(
    /alert "refused" is about the log metric "refused", which no construct contributes/,
  );
});

test("an uptime check comes with an alert about itself", () => {
  const check = {
    name: "page-uptime",
    title: "The page does not answer",
    documentation: "Look.",
    host: "mri.example.org",
    path: "/",
    acceptedStatuses: [200, 302],
  };
  const stack = watch({ contributions: [{ logMetrics: [], alerts: [], charts: [], uptimeChecks: [check] }] });
  const [uptime] = stack.resources("google_monitoring_uptime_check_config");
  expect(uptime?.config).toMatchObject({
    monitored_resource: { type: "uptime_url", labels: { host: "mri.example.org", project_id: "mri-st-anna" } },
    http_check: {
      path: "/",
      use_ssl: true,
      validate_ssl: true,
      accepted_response_status_codes: [{ status_value: 200 }, { status_value: 302 }],
    },
  });
  const [policy] = stack.resources("google_monitoring_alert_policy");
  expect(JSON.stringify(policy?.config)).toContain(
    `\${google_monitoring_uptime_check_config.${uptime?.logicalId}.uptime_check_id}`,
  );
});

test("two contributions of one name are refused", () => {
  expect(() => watch({ contributions: [refused, refused] })).toThrow(
    /Two constructs contribute a log metric "refused"/,
  );
});

test("a dashboard leaves out what the API leaves out: zeros and what is not set", () => {
  const series = [{ filter: "f", aligner: "ALIGN_RATE", periodSeconds: 60 }] as const;
  const charts = ["a", "b", "c"].map((title) => ({ title, unit: "1/s", series }));
  const { mosaicLayout } = JSON.parse(dashboardJson("Name", charts)) as {
    mosaicLayout: { tiles: { xPos?: number; yPos?: number; width: number; height: number }[] };
  };
  const at = mosaicLayout.tiles.map(({ xPos, yPos }) => [xPos, yPos]);
  expect(at).toEqual([
    [undefined, undefined],
    [24, undefined],
    [undefined, 16],
  ]);
  const empty = (value: unknown): boolean =>
    value === 0 ||
    value === "" ||
    (Array.isArray(value) && value.length === 0) ||
    (typeof value === "object" && value !== null && Object.values(value).some(empty));
  expect(empty(mosaicLayout)).toBe(false);
});

describe("an objective", () => {
  const objective = (name: string, indicator: Indicator, percent = 99.9) => ({
    name,
    title: `what ${name} promises`,
    documentation: "Look at the log.",
    percent,
    indicator,
  });
  const objectives = [
    objective("asked", { kind: "requests", bad: "b", total: "t" }),
    objective("quick", { kind: "distribution", filter: "d", max: 5000 }, 95),
    objective("fresh", { kind: "windows", filter: "w", max: 900, seconds: 300 }, 99.99),
  ];
  const contribution = { logMetrics: [], alerts: [], charts: [], objectives };
  const stack = watch({ contributions: [contribution], emails: ["a@example.org"] });

  test("becomes a service level objective over thirty days, with no more in it than the API answers", () => {
    const [service] = stack.resources("google_monitoring_custom_service");
    expect(service?.config.service_id).toBe("st-anna-service");
    const found = stack.resources("google_monitoring_slo").map(({ config }) => config);
    expect(found.map(({ slo_id, goal, rolling_period_days }) => [slo_id, goal, rolling_period_days])).toEqual([
      ["st-anna-asked", 0.999, 30],
      ["st-anna-fresh", 0.9999, 30],
      ["st-anna-quick", 0.95, 30],
    ]);
    expect(found.map(({ request_based_sli, windows_based_sli }) => request_based_sli ?? windows_based_sli)).toEqual([
      { good_total_ratio: { bad_service_filter: "b", total_service_filter: "t" } },
      { metric_mean_in_range: { time_series: "w", range: { max: 900 } }, window_period: "300s" },
      { distribution_cut: { distribution_filter: "d", range: { max: 5000 } } },
    ]);
  });

  test("has a fast and a slow alert, each over two windows, that a lack of data does not set off", () => {
    const policies = stack.resources("google_monitoring_alert_policy").map(({ config }) => config);
    expect(policies.map(({ display_name, severity, combiner }) => [display_name, severity, combiner])).toEqual(
      ["asked", "fresh", "quick"].flatMap((name) => [
        [`st-anna-${name}-fast`, "CRITICAL", "AND"],
        [`st-anna-${name}-slow`, "WARNING", "AND"],
      ]),
    );
    const slos = stack.resources("google_monitoring_slo").map(({ logicalId }) => logicalId);
    const windows = { fast: ["3600s", "300s"], slow: ["86400s", "7200s"] };
    policies.forEach(({ conditions, notification_channels, display_name }, index) => {
      const speed = String(display_name).endsWith("fast") ? "fast" : "slow";
      const thresholds = (conditions as Json[]).map(({ condition_threshold }) => condition_threshold as Json);
      expect(thresholds.map(({ filter }) => filter)).toEqual(
        windows[speed].map(
          (window) =>
            `select_slo_burn_rate("${ref(`google_monitoring_slo.${slos[Math.floor(index / 2)]}.name`)}", "${window}")`,
        ),
      );
      for (const threshold of thresholds) {
        expect(threshold.threshold_value).toBe(speed === "fast" ? 14.4 : 3);
        expect(threshold).not.toHaveProperty("evaluation_missing_data");
        expect(threshold).not.toHaveProperty("aggregations");
      }
      expect(notification_channels).toHaveLength(1);
    });
  });

  test("can be missed as fast as its fast alert needs, whatever percentage a line may say", () => {
    const [least] = parseHospitals([{ ...PROD, objectives: { availability: 95 } }]);
    expect(1 / (1 - (least?.objectives.availability ?? 0) / 100)).toBeGreaterThan(14.4);
  });

  test("of one name twice is refused", () => {
    expect(() => watch({ contributions: [contribution, contribution] })).toThrow(/an? objective "asked"/);
  });
});

describe("a hospital", () => {
  const app = stackOf(synthesize([{ ...PROD, alertEmails: ["on-call@example.org"] }]).stacks, "st-anna-app");

  test("has one dashboard, and policies that each say what to do", () => {
    expect(app.resources("google_monitoring_dashboard")).toHaveLength(1);
    const policies = app.resources("google_monitoring_alert_policy");
    expect(policies.map(({ config }) => config.display_name)).toEqual(
      expect.arrayContaining(
        [
          "ingest-dead-letters",
          "ingest-backlog",
          "network-egress-denied",
          "bucket-access-changed",
          "key-version-destroyed",
        ].map((name) => `st-anna-${name}`),
      ),
    );
    for (const { config } of policies) {
      expect(String((config.documentation as Json).content).length).toBeGreaterThan(40);
      expect(config.notification_channels).toHaveLength(1);
      expect(config.user_labels).toMatchObject({ hospital: "st-anna", env: "prod" });
    }
  });

  test("has every log metric that its policies and its dashboard name", () => {
    const metrics = app.resources("google_logging_metric").map(({ config }) => String(config.name));
    const inFilters = [...app.text.matchAll(/logging\.googleapis\.com\/user\/([\w-]+)/g)].map((match) => match[1]);
    const underscored = new Map(metrics.map((name) => [name.replaceAll("-", "_"), name]));
    const inQueries = [...app.text.matchAll(/logging_googleapis_com:user_(\w+)/g)].map(
      (match) => underscored.get(String(match[1])) ?? match[1],
    );
    expect(inQueries.length).toBeGreaterThan(2);
    expect([...new Set([...inFilters, ...inQueries])].sort()).toEqual([...metrics].sort());
  });

  test("counts the failures of each service by the name and the filter by which a canary asks for them", () => {
    const services = app.resources("google_cloud_run_v2_service").map(({ config }) => String(config.name));
    expect(services).toEqual(["st-anna-serve"]);
    const counted = app.resources("google_logging_metric").map(({ config: { name, filter } }) => [name, filter]);
    for (const service of services)
      expect(counted).toContainEqual([failedAnswersMetric(service), failedAnswersFilter(service)]);
  });

  test("has no policy that Cloud Monitoring refuses while a metric of the same apply is not known to it", () => {
    for (const { config } of app.resources("google_monitoring_alert_policy")) {
      const conditions = config.conditions as Json[];
      for (const { condition_threshold } of conditions)
        expect(JSON.stringify(condition_threshold ?? "")).not.toContain("logging.googleapis.com/user/");
      for (const { condition_prometheus_query_language: query } of conditions)
        if (query !== undefined) expect(query).toMatchObject({ disable_metric_validation: true });
    }
  });

  test("promises availability, latency and freshness by its line, on metrics that Google has by itself", () => {
    const line = { availability: 99.5, latencySeconds: 2.5, freshnessMinutes: 30 };
    const own = stackOf(synthesize([{ ...PROD, objectives: line }]).stacks, "st-anna-app");
    const found = own.resources("google_monitoring_slo").map(({ config }) => config);
    expect(found.map(({ display_name, goal }) => [display_name, goal])).toEqual([
      ["st-anna: 99 % time in which no scan waits longer than 30 min", 0.99],
      ["st-anna: 99.5 % answers without an error of the server", 0.995],
      ["st-anna: 95 % answers within 2.5 s", 0.95],
    ]);
    for (const config of found) expect(JSON.stringify(config)).not.toContain("logging.googleapis.com");
    const limits = JSON.stringify(found);
    expect(limits).toContain('"max":1800');
    expect(limits).toContain('"max":2500');
  });

  test("that serves nothing yet promises no answers", () => {
    const early = stackOf(synthesize([PROD], undefined, NOTHING_PUSHED).stacks, "st-anna-app");
    expect(early.resources("google_monitoring_slo").map(({ config }) => config.slo_id)).toEqual([
      "st-anna-ingest-freshness",
    ]);
    expect(early.json.output).not.toHaveProperty("serve_uri");
  });

  test("tells in its outputs how every alert, objective and dashboard is called", () => {
    const output = app.json.output as Record<string, { value: unknown; description: string }>;
    const policies = app.resources("google_monitoring_alert_policy").map(({ config }) => config.display_name);
    const named = (output.alerts?.value ?? []) as string[];
    expect([...named].sort()).toEqual([...policies].sort());
    expect(Object.keys(output.objectives?.value ?? {})).toEqual([
      "ingest-freshness",
      "serve-availability",
      "serve-latency",
    ]);
    const [dashboard] = app.resources("google_monitoring_dashboard");
    expect(output.dashboard_url?.value).toBe(
      `https://console.cloud.google.com/monitoring/dashboards/builder/${ref(`element(split("/", google_monitoring_dashboard.${dashboard?.logicalId}.id), 3)`)}?project=mri-st-anna`,
    );
    for (const { description } of Object.values(output)) expect(description.length).toBeGreaterThan(10);
  });

  test("keeps the address of a channel free of labels, which would be taken for settings", () => {
    const [channel] = app.resources("google_monitoring_notification_channel");
    expect(channel?.config.labels).toEqual({ email_address: "on-call@example.org" });
    expect(channel?.config.user_labels).toMatchObject({ hospital: "st-anna" });
  });
});
