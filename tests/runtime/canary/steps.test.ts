import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  abortCanary,
  advanceCanary,
  type CanaryContext,
  canaryStatus,
  type Promoting,
  startCanary,
} from "../../../runtime/canary";
import { CloudRunShares } from "../../../runtime/platform/cloud-run";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { changePlan } from "../../../runtime/promotion";
import { currentCanary, currentModel, noteLook, setCurrent } from "../../../runtime/registry";
import { asked, type LoggedRequest, RunServer, SERVICE } from "../../support/run-server";
import { promote } from "../../support/served-model";

const [STABLE, CANDIDATE] = ["model-stable", "model-candidate"];
const plan = changePlan();
const [FIRST = 0, SECOND = 0] = plan.canary.shares;

let folder: string;
let workspace: Workspace;
let run: RunServer;
let at = Date.parse("2026-05-01T00:00:00Z");
/** A minute later each time. */
const now = () => {
  at += 60_000;
  return new Date(at);
};

const promoting: Promoting = {
  tryOut: async () => undefined,
  preview: async () => ({ promotes: true, reason: "It is better." }),
  promote: async (model) => {
    const { models } = workspace.buckets;
    await setCurrent(models, { model, reason: "It is better." }, await currentModel(models), now());
    return { promoted: true, reason: "It is better." };
  },
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "canary-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await promote(workspace, STABLE);
  run = new RunServer();
  await run.start({ LOG_LEVEL: "info" });
});

afterEach(async () => {
  await run.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

const shares = () => new CloudRunShares(SERVICE, { run: run.url, monitoring: run.url }, 5);
const context = (more: Partial<CanaryContext> = {}): CanaryContext => ({
  ...{ models: workspace.buckets.models, warehouse: workspace.warehouse, promoting, shares: shares(), now },
  ...more,
});
const shadow = () => context({ shares: undefined });

let filled = 0;
/** Both models looked at so many scans; one answered. */
async function look(
  scans: number,
  more: {
    readonly disagree?: number;
    readonly failed?: number;
    readonly byCandidate?: boolean;
    readonly milliseconds?: number;
    /** One scan, sent so often: both answer it, or both refuse it, and then no hash is known. */
    readonly again?: "answered" | "refused";
  } = {},
): Promise<void> {
  const { disagree = 0, failed = 0, byCandidate = false, milliseconds = 50 } = more;
  for (let i = 0; i < scans; i++) {
    const request = `request-${++filled}`;
    const [mine, its] =
      more.again === "refused"
        ? ["Rejected", "Rejected"]
        : ["Cancer", i < failed ? "Failed" : i < failed + disagree ? "Non-Cancer" : "Cancer"];
    const row = {
      ...{
        request,
        sha256: shaOf(more.again, request),
        probability: 0.9,
        shadow_probability: its === "Failed" ? null : 0.8,
      },
      ...{ model: byCandidate ? CANDIDATE : STABLE, shadow: byCandidate ? STABLE : CANDIDATE },
      ...{
        decision: mine,
        shadow_decision: its,
        milliseconds: 50,
        shadow_milliseconds: its === "Failed" ? null : milliseconds,
      },
      compared_at: now().toISOString(),
    } as const;
    await workspace.warehouse.append("shadows", request, [row as never]);
  }
}

const shaOf = (again: "answered" | "refused" | undefined, request: string) =>
  again === "refused" ? null : again ? "the same" : request;

/** Answers that people had, of both models. */
async function answer(scans: number, milliseconds = 50): Promise<void> {
  for (const model of [STABLE, CANDIDATE]) {
    const rows = Array.from({ length: scans }, () => ({
      ...{
        request: `request-${++filled}`,
        id: "i",
        model,
        recipe: "r1",
        probability: 0.9,
        label: "Cancer",
        decision: "Cancer",
      },
      ...{ threshold: 0.5, sha256: "s", who: "local", milliseconds: model === STABLE ? 50 : milliseconds },
      ...(model === CANDIDATE ? { served_as: "pinned" } : {}),
      predicted_at: now().toISOString(),
    }));
    await workspace.warehouse.append("predictions", `batch-${filled}`, rows);
  }
}

/** Somebody reads a page. */
const read = (status: number): LoggedRequest => ({ ...asked(status), method: "GET" });

const revisionOf = async () => String((await currentCanary(workspace.buckets.models))?.revision);
const canaryShare = async () => run.shares[await revisionOf()] ?? 0;

describe("a canary on a share of the requests", () => {
  test("is a revision that is bound to the model, while what is deployed keeps its template and all other requests", async () => {
    const before = JSON.stringify(run.service.template);
    const { canary, given } = await startCanary(context(), CANDIDATE);
    expect(canary).toMatchObject({ mode: "traffic", state: "running", share: FIRST, stable: STABLE });
    expect(given).toBe(FIRST);
    const revision = String(canary.revision);
    expect(run.revisions.get(revision)).toMatchObject({
      env: { LOG_LEVEL: "info", PINNED_MODEL: CANDIDATE, SHADOW_MODEL: "current" },
      // The stable model is asked after the answer: with a processor during requests alone it would never have its turn.
      cpuIdle: false,
    });
    // What Terraform compares with is as it was.
    expect(JSON.stringify(run.service.template)).toBe(before);
    expect(run.service.traffic).toEqual([
      { type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 - FIRST },
      { type: "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", revision, percent: FIRST },
    ]);
    expect(run.shares[revision]).toBe(FIRST);
    // A deploy meanwhile takes the rest, and not the canary's share.
    run.revisions.set("st-anna-serve-00009-new", {
      name: "st-anna-serve-00009-new",
      ...{ env: {}, cpuIdle: true, ready: "CONDITION_SUCCEEDED" },
      url: undefined,
      stop: undefined,
    });
    run.service.latestReadyRevision = `${SERVICE}/revisions/st-anna-serve-00009-new`;
    expect(run.shares).toEqual({ "st-anna-serve-00009-new": 100 - FIRST, [revision]: FIRST });
  });

  test("never has a request before it has its share, whatever moment is looked at", async () => {
    const seen: number[] = [];
    const looking = setInterval(() => {
      const [revision] = run.pinned;
      if (revision) seen.push(run.shares[revision] ?? 0);
    }, 1);
    run.pollsUntilDone = 5;
    await startCanary(context(), CANDIDATE, 3);
    clearInterval(looking);
    expect(seen.length).toBeGreaterThan(5);
    expect([...new Set(seen)].sort()).toEqual([0, 3]);
  });

  test("goes from share to share to the end, each time on what is known since, and says not yet before", async () => {
    await startCanary(context(), CANDIDATE);
    const waiting = await advanceCanary(context());
    expect(waiting).toMatchObject({ canary: { state: "running", share: FIRST }, judgement: { outcome: "hold" } });
    expect(await canaryShare()).toBe(FIRST);
    await look(100, { byCandidate: true });
    await answer(200);
    expect(await advanceCanary(context())).toMatchObject({ canary: { share: SECOND }, given: SECOND });
    expect(await canaryShare()).toBe(SECOND);
    // What was known at the smaller share says nothing of how long answers take now.
    expect(await advanceCanary(context())).toMatchObject({ canary: { share: SECOND, state: "running" } });
    await answer(200);
    const done = await advanceCanary(context());
    expect(done.canary).toMatchObject({ state: "promoted", share: 0 });
    expect((await currentModel(workspace.buckets.models))?.model).toBe(CANDIDATE);
    expect(run.service.traffic).toEqual([{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }]);
    const told: string[] = [];
    for await (const { name } of workspace.buckets.models.listAll("canaries/")) told.push(name);
    // starting, running, looked at, the second share, looked at, promoted
    expect(told).toHaveLength(6);
  });

  test("that fails or is slow is taken back, by the clause's name", async () => {
    await startCanary(context(), CANDIDATE);
    // Whoever looks at answers reads a hundred times for each: that hides no failure.
    await answer(40);
    run.count(await revisionOf(), read(200), 10_000);
    run.count(await revisionOf(), asked(503), 40);
    const { canary } = await advanceCanary(context());
    expect(canary).toMatchObject({
      state: "rolled-back",
      share: 0,
      reason: expect.stringMatching(/the candidate failed to give .*: 40 of 80 .*\(canary\.errors\)/),
    });
    expect(Object.keys(run.shares)).not.toContain(canary.revision);

    await startCanary(context(), CANDIDATE);
    await answer(60, 5000);
    expect((await advanceCanary(context())).canary).toMatchObject({
      ...{ state: "rolled-back", reason: expect.stringContaining("(canary.latency)") },
    });
    expect((await currentModel(workspace.buckets.models))?.model).toBe(STABLE);
  });

  test("is not taken back for what failed and was no request for an answer", async () => {
    await startCanary(context(), CANDIDATE);
    await answer(40);
    const revision = await revisionOf();
    for (const url of ["/v1/predictions", "/v1/predictions?limit=50", "/v1/predictions/abc/overlay", "/"])
      run.count(revision, { ...read(500), url: `https://serve.example.org${url}` }, 100);
    const feedback = "https://serve.example.org/v1/predictions/abc/feedback";
    run.count(revision, { ...asked(503), url: feedback }, 100);
    run.count(revision, asked(429), 100);
    expect(await advanceCanary(context())).toMatchObject({
      canary: { state: "running" },
      judgement: {
        outcome: "hold",
        findings: expect.arrayContaining([
          expect.objectContaining({ clause: "canary.errors", sentence: expect.stringContaining(": 0 of 40 ") }),
        ]),
      },
    });
    run.count(revision, { ...asked(500), url: "https://serve.example.org/v1/predictions/batch?wait=1" }, 20);
    run.count(revision, { ...asked(504), url: "http://serve.internal/v1/predictions" }, 20);
    expect((await advanceCanary(context())).canary).toMatchObject({
      ...{ state: "rolled-back", reason: expect.stringMatching(/: 40 of 80 .*\(canary\.errors\)/) },
    });
  });

  test("is judged by nobody before a deploy has made what counts its failures", async () => {
    await startCanary(context(), CANDIDATE);
    run.deployed = false;
    await expect(advanceCanary(context())).rejects.toThrow(
      /a-project has no metric st-anna-serve-failed-answers, .* deploy the app stack/,
    );
    expect((await currentCanary(workspace.buckets.models))?.state).toBe("running");
  });

  test("answers nobody where it could not take over, and begins with no more than the plan says", async () => {
    const preview = async () => ({
      promotes: false,
      reason: "It is worse.",
      clause: "comparison.superiority" as const,
    });
    await expect(startCanary(context({ promoting: { ...promoting, preview } }), CANDIDATE)).rejects.toMatchObject({
      ...{ code: "outside-plan", clause: "comparison.superiority" },
    });
    await expect(startCanary(context(), CANDIDATE, FIRST + 1)).rejects.toMatchObject({ clause: "canary.shares" });
    expect(run.writes).toEqual([]);
    expect(await currentCanary(workspace.buckets.models)).toBeUndefined();
  });

  test("whose revision does not become ready has no request, and leaves the template as it was", async () => {
    await run.stop();
    run = new RunServer(async (env) => {
      if (env.PINNED_MODEL) throw new Error("The revision is not ready: /readyz says 503.");
      return { url: "http://127.0.0.1:9", stop: async () => undefined };
    });
    await run.start();
    const before = JSON.stringify(run.service.template);
    await expect(startCanary(context(), CANDIDATE)).rejects.toThrow(/\/readyz says 503/);
    expect(JSON.stringify(run.service.template)).toBe(before);
    expect(run.service.traffic).toEqual([{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }]);
    // Started again it has none either: Cloud Run keeps the revision, and says of it that it failed.
    await expect(startCanary(context(), CANDIDATE)).rejects.toThrow(/\/readyz says 503.*abort it and start again/);
    expect(JSON.stringify(run.service.template)).toBe(before);
    expect(run.service.traffic).toEqual([{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }]);
    expect(await currentCanary(workspace.buckets.models)).toMatchObject({ state: "starting" });
    expect(await abortCanary(context(), "It does not start.")).toMatchObject({
      canary: { state: "aborted" },
    });
  });

  test("is taken back also where somebody notes a look meanwhile", async () => {
    await startCanary(context(), CANDIDATE);
    const slow = shares();
    const reset = slow.reset.bind(slow);
    slow.reset = async () => {
      await reset();
      const { models } = workspace.buckets;
      const seen = await currentCanary(models);
      if (seen) await noteLook(models, seen, { look: { at: new Date().toISOString(), outcome: "hold", findings: [] } });
    };
    const { canary } = await abortCanary(context({ shares: slow }), "Enough.");
    expect(canary).toMatchObject({ state: "aborted", share: 0 });
    expect((await currentCanary(workspace.buckets.models))?.state).toBe("aborted");
  });

  test("that was killed at any write goes on when it is started again, and has one revision", async () => {
    for (let fatal = 1; fatal <= 3; fatal++) {
      const killed = shares();
      let writes = 0;
      const change = Reflect.get(killed, "send").bind(killed);
      Reflect.set(killed, "send", async (method: string, ...rest: unknown[]) => {
        if (writes >= fatal) throw new Error("SIGKILL");
        const answered = await change(method, ...rest);
        if (method === "PATCH" && ++writes === fatal) throw new Error("SIGKILL");
        return answered;
      });
      const made = run.pinned.length;
      await expect(startCanary(context({ shares: killed }), CANDIDATE)).rejects.toThrow("SIGKILL");
      // Meanwhile at most the first share goes to it.
      for (const name of run.pinned) expect(run.shares[name] ?? 0).toBeLessThanOrEqual(FIRST);
      const { canary } = await startCanary(context(), CANDIDATE);
      expect(canary.state).toBe("running");
      expect(await canaryShare()).toBe(FIRST);
      expect(run.pinned).toHaveLength(made + 1);
      expect(run.service.template.containers[0]).toMatchObject({
        ...{ env: [{ name: "LOG_LEVEL", value: "info" }], resources: { cpuIdle: true } },
      });
      await abortCanary(context(), "Again.");
    }
  });

  test("that is started again is the one that was begun: with its share, beside its model, or it is refused", async () => {
    const begun = async (share: number) => {
      run.refuse = 409;
      await expect(startCanary(context(), CANDIDATE, share)).rejects.toThrow(/409/);
      run.refuse = undefined;
    };
    await begun(3);
    await expect(startCanary(context(), CANDIDATE, 5)).rejects.toMatchObject({
      ...{ code: "canary-open", message: expect.stringMatching(/begun with 3 %.*not with 5 %/) },
    });
    expect((await startCanary(context(), CANDIDATE)).canary).toMatchObject({ state: "running", share: 3 });
    await abortCanary(context(), "Again.");

    await begun(3);
    const { length } = run.writes;
    await promote(workspace, "model-other");
    await expect(startCanary(context(), CANDIDATE)).rejects.toMatchObject({
      ...{ code: "current-moved", message: expect.stringContaining("abort the canary") },
    });
    expect(run.writes).toHaveLength(length);
    expect(await currentCanary(workspace.buckets.models)).toMatchObject({ state: "starting", stable: STABLE });
  });

  test("that was promoted when the process was killed is ended by the next call", async () => {
    await startCanary(context(), CANDIDATE);
    await promoting.promote(CANDIDATE);
    expect((await advanceCanary(context())).canary.state).toBe("promoted");
    expect(run.shares).not.toHaveProperty(await revisionOf());
  });

  test("is compared with one model: where another is current meanwhile nothing goes on", async () => {
    await startCanary(context(), CANDIDATE);
    await promote(workspace, "model-other");
    await expect(advanceCanary(context())).rejects.toMatchObject({ code: "current-moved" });
    expect((await abortCanary(context(), "Another is current.")).canary.state).toBe("aborted");
    expect(Object.keys(run.shares)).toHaveLength(1);
  });

  test("is one at a time, and of two that start at once one leaves", async () => {
    await startCanary(context(), CANDIDATE);
    await expect(startCanary(context(), "model-third")).rejects.toMatchObject({ code: "canary-open" });
    await abortCanary(context(), "Again.");
    const both = await Promise.allSettled([startCanary(context(), CANDIDATE), startCanary(context(), "model-third")]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("is put right where somebody else moved its share, and says so before", async () => {
    await startCanary(context(), CANDIDATE);
    run.service.traffic = [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }];
    expect(await canaryStatus(context())).toMatchObject({ canary: { share: FIRST }, given: 0 });
    await advanceCanary(context());
    expect(await canaryShare()).toBe(FIRST);
  });

  test.each([403, 409])("a refusal of Cloud Run (%i) is a sentence that says what to do", async (status) => {
    run.refuse = status;
    await expect(startCanary(context(), CANDIDATE)).rejects.toThrow(
      status === 403 ? /403: The test says so\. .*serve\.releasers/ : /409: The test says so\. .*run this again/,
    );
  });
});

describe("a canary as a shadow", () => {
  test("is promoted once it is shown to do no harm, and no request goes elsewhere", async () => {
    await startCanary(shadow(), CANDIDATE);
    expect(await advanceCanary(shadow())).toMatchObject({ judgement: { outcome: "hold" }, given: null });
    await look(150);
    expect((await advanceCanary(shadow())).canary).toMatchObject({ state: "promoted", mode: "shadow" });
    expect(run.writes).toEqual([]);
    expect((await currentModel(workspace.buckets.models))?.model).toBe(CANDIDATE);
  });

  test.each([
    ["canary.agreement", { disagree: 60 }],
    ["canary.errors", { failed: 60 }],
    ["canary.latency", { milliseconds: 500 }],
  ])("is taken back by %s", async (clause, more) => {
    await startCanary(shadow(), CANDIDATE);
    await look(100, more);
    expect((await advanceCanary(shadow())).canary).toMatchObject({
      ...{ state: "rolled-back", reason: expect.stringContaining(`(${clause})`) },
    });
    expect((await currentModel(workspace.buckets.models))?.model).toBe(STABLE);
  });

  test("is not finished by a person before that, and what is missing is named", async () => {
    await startCanary(shadow(), CANDIDATE);
    await look(5);
    await expect(advanceCanary(shadow(), { finish: true })).rejects.toMatchObject({
      ...{ code: "not-held", clause: "canary.agreement", message: expect.stringMatching(/about \d+ more scans/) },
    });
    expect((await currentCanary(workspace.buckets.models))?.state).toBe("running");
  });

  test.each(["answered", "refused"] as const)("the same scan sent again, %s, shows nothing more", async (again) => {
    await startCanary(shadow(), CANDIDATE);
    await look(100, { again });
    const { canary, judgement } = await advanceCanary(shadow());
    expect(canary.state).toBe("running");
    expect(judgement).toMatchObject({ outcome: "hold", reason: expect.stringContaining("0 of 1 ") });
  });

  test("what was compared before it began does not count", async () => {
    await look(150);
    await startCanary(shadow(), CANDIDATE);
    expect(await canaryStatus(shadow())).toMatchObject({ judgement: { outcome: "hold" } });
  });

  test("keeps what the last look said, and puts it down once something comes of it: not each look", async () => {
    const { models } = workspace.buckets;
    const put = async () => {
      const said = [];
      for await (const { name } of models.listAll("canaries/")) said.push(JSON.parse(String(await models.read(name))));
      return said;
    };
    await startCanary(shadow(), CANDIDATE);
    const before = (await put()).length;
    await look(5);
    const first = await advanceCanary(shadow());
    expect(first).toMatchObject({ changed: false, canary: { look: { outcome: "hold" } } });
    expect(first.next).toMatchObject({ sentence: expect.stringMatching(/^Wait for more scans/) });
    await look(5);
    const { canary } = await advanceCanary(shadow());
    expect(canary.look?.at).not.toBe(first.canary.look?.at);
    expect(canary.look?.findings).toContainEqual(
      expect.objectContaining({
        clause: "canary.agreement",
        state: "open",
        sentence: expect.stringContaining("of 10"),
      }),
    );
    expect(await put()).toHaveLength(before);
    await look(150);
    // A look of which nothing is kept says as much.
    expect((await canaryStatus(shadow()))?.next?.sentence).toMatch(/is shown: go on/);
    const ended = await advanceCanary(shadow());
    expect(ended).toMatchObject({ changed: true, next: null, canary: { look: { outcome: "advance" } } });
    expect((await put()).slice(before).map(({ state, look: kept }) => [state, kept.outcome])).toEqual([
      ["running", "hold"],
      ["promoted", "advance"],
    ]);
  });

  test("that the rule does not promote is taken back, with the reason", async () => {
    await startCanary(shadow(), CANDIDATE);
    await look(150);
    const promote = async () => ({ promoted: false, reason: "The comparisons are spent." });
    const { canary } = await advanceCanary(context({ shares: undefined, promoting: { ...promoting, promote } }));
    expect(canary).toMatchObject({
      state: "rolled-back",
      reason: expect.stringContaining("The comparisons are spent."),
    });
  });

  test("is not moved where the service of another is named, and the other way round", async () => {
    await startCanary(shadow(), CANDIDATE);
    await expect(advanceCanary(context())).rejects.toMatchObject({ code: "other-mode" });
    await expect(abortCanary(context(), "No.")).rejects.toMatchObject({ code: "other-mode" });
  });
});
