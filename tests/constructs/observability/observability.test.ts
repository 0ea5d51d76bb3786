import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "../../../constructs/core/cdktf";
import type { MonitoringContribution } from "../../../constructs/core/monitoring";
import { dashboardJson, Observability, type ObservabilityProps } from "../../../constructs/observability";
import { type Json, PROD, SynthesizedStack, stackOf, synthesize } from "../../stacks/synthesize";

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
    documentation: { content: "Look into quarantine.", mime_type: "text/markdown" },
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

  test("has no policy that Cloud Monitoring refuses while a metric of the same apply is not known to it", () => {
    for (const { config } of app.resources("google_monitoring_alert_policy")) {
      const conditions = config.conditions as Json[];
      for (const { condition_threshold } of conditions)
        expect(JSON.stringify(condition_threshold ?? "")).not.toContain("logging.googleapis.com/user/");
      for (const { condition_prometheus_query_language: query } of conditions)
        if (query !== undefined) expect(query).toMatchObject({ disable_metric_validation: true });
    }
  });

  test("keeps the address of a channel free of labels, which would be taken for settings", () => {
    const [channel] = app.resources("google_monitoring_notification_channel");
    expect(channel?.config.labels).toEqual({ email_address: "on-call@example.org" });
    expect(channel?.config.user_labels).toMatchObject({ hospital: "st-anna" });
  });
});
