import { atMostHourly, isCron, isTimeZone, longestGapDays, timesAMonth } from "../../../constructs/core/cron";
import type { ConfigurationError } from "../../../runtime/platform/config";
import { type HospitalLine, parseHospitals } from "../../../stacks/config";
import { NOTHING_PUSHED, PROD, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";

describe("times", () => {
  test.each([
    ["0 3 * * *", 1, 30.4],
    ["0 3 * * 1-5", 3, 21.7],
    ["30 2 * * 0", 7, 4.3],
    ["30 2 * * 7", 7, 4.3],
    ["0 0,12 */2 * *", 2, 31],
    ["0 3 1 * *", 31, 1],
    // A day of either kind counts.
    ["0 3 1 * 1", 7, 5.2],
    ["0 3 29 2 *", 1461, 0],
  ])("%s: at most %d days apart, about %d a month", (text, days, times) => {
    expect(isCron(text)).toBe(true);
    expect(longestGapDays(text)).toBe(days);
    expect(Math.abs(timesAMonth(text) - times)).toBeLessThan(0.5);
  });

  test.each([
    ...["", "* * * *", "0 3 * * * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 8", "0 3 30 2 *"],
    ...["0 3 * * mon", "0 5-3 * * *", "0 */0 * * *", "0 3  * * *", "@daily", "0 3 * * 1,", "-1 3 * * *", "0 3 L * *"],
  ])("%s is none", (text) => expect(isCron(text)).toBe(false));

  test("that come more than once an hour are seen", () => {
    expect(["0 * * * *", "*/30 * * * *", "0,1 3 * * *"].map(atMostHourly)).toEqual([true, false, false]);
  });

  test("zones are those of the IANA database", () => {
    for (const zone of ["Etc/UTC", "Europe/Vienna", "America/Argentina/Buenos_Aires", "UTC"])
      expect(isTimeZone(zone)).toBe(true);
    for (const zone of ["Vienna", "Europe/Wien ", "", "+02:00", "Etc/../UTC", "europe"])
      expect(isTimeZone(zone)).toBe(false);
  });
});

test("a line's mistakes are told all at once", () => {
  const wrong = { ...PROD, schedule: { daily: "*/5 * * * *", timeZone: "Vienna" } };
  const rare = { ...TEST, schedule: { daily: "0 3 1 * *" } };
  let told: readonly string[] = [];
  try {
    parseHospitals([wrong, rare]);
  } catch (error) {
    told = (error as ConfigurationError).problems;
  }
  expect(told).toEqual([
    expect.stringMatching(/"schedule.daily" is "\*\/5 \* \* \* \*"; allowed: five fields of cron with one minute/),
    expect.stringMatching(/"schedule.timeZone" is "Vienna"; allowed: a time zone such as/),
    expect.stringMatching(/"schedule.daily" is "0 3 1 \* \*"/),
  ]);
});

describe("in the stacks", () => {
  const EPHEMERAL: HospitalLine = { ...TEST, name: "run-4711", tier: "ephemeral", project: "mri-ci-shared" };
  const { stacks } = synthesize(
    [
      { ...PROD, schedule: { daily: "30 2 * * 1", timeZone: "Europe/Vienna" } },
      { ...TEST, schedule: { daily: "none" } },
      EPHEMERAL,
    ],
    undefined,
    NOTHING_PUSHED,
  );
  const app = (name: string) => stackOf(stacks, `${name}-app`);
  const policies = (name: string) =>
    app(name)
      .resources("google_monitoring_alert_policy")
      .map(({ config }) => String(config.display_name).slice(name.length + 1));

  test("the schedule starts the one template, with a tag that lets no second run in, as who may do nothing else", () => {
    const [job, ...others] = app("st-anna").resources("google_cloud_scheduler_job");
    expect(others).toEqual([]);
    const [template] = app("st-anna").resources("google_dataproc_workflow_template");
    const account = app("st-anna")
      .resources("google_service_account")
      .find(({ config }) => config.account_id === "st-anna-schedule");
    expect(job?.config).toMatchObject({
      ...{ name: "st-anna-daily", schedule: "30 2 * * 1", time_zone: "Europe/Vienna", paused: false },
      retry_config: { retry_count: 4 },
      http_target: {
        http_method: "POST",
        uri: `https://dataproc.googleapis.com/v1/projects/mri-st-anna/regions/europe-west4/workflowTemplates/${ref(`google_dataproc_workflow_template.${template?.logicalId}.name`)}:instantiate`,
        body: ref('base64encode("{\\"requestId\\":\\"st-anna-daily\\"}")'),
        oauth_token: { service_account_email: ref(`google_service_account.${account?.logicalId}.email`) },
      },
    });
    const member = ref(`google_service_account.${account?.logicalId}.member`);
    const given = app("st-anna")
      .resources()
      .filter(({ type, config }) => type.endsWith("_iam_member") && config.member === member)
      .map(({ type, config }) => [type, config.role]);
    expect(given.sort()).toEqual([
      ["google_project_iam_member", "projects/mri-st-anna/roles/brainTumorStarter"],
      ["google_service_account_iam_member", "roles/iam.serviceAccountUser"],
    ]);
    const [role] = stackOf(stacks, "st-anna-data")
      .resources("google_project_iam_custom_role")
      .filter(({ config }) => config.role_id === "brainTumorStarter");
    expect(role?.config.permissions).toEqual(["dataproc.workflowTemplates.instantiate"]);
  });

  test("none makes no schedule, no identity, and nobody misses a run", () => {
    expect(app("sandbox").resources("google_cloud_scheduler_job")).toEqual([]);
    expect(app("sandbox").text).not.toContain("sandbox-schedule");
    expect(policies("sandbox")).not.toContain("monitor-missing");
    expect(policies("sandbox")).toContain("monitor-alarm-input");
  });

  test("an environment's schedule is paused, and its missing runs are nobody's business", () => {
    const [job] = app("run-4711").resources("google_cloud_scheduler_job");
    expect(job?.config).toMatchObject({ name: "run-4711-daily", paused: true });
    expect(policies("run-4711")).not.toContain("monitor-missing");
  });

  test("a run is missed two days after it was due", () => {
    const missing = app("st-anna")
      .resources("google_monitoring_alert_policy")
      .find(({ config }) => config.display_name === "st-anna-monitor-missing");
    expect(JSON.stringify(missing?.config.conditions)).toContain(`[${9 * 86_400}s]`);
  });
});
