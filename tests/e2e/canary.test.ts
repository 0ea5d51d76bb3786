import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CloudRunShares } from "../../runtime/platform/cloud-run";
import { type Json, withScratch } from "../../tools/synthesized";
import { findTerraform, providerProblem, Terraform } from "../../tools/terraform";
import { startEcho } from "../echo";
import { PROD, stackOf, synthesize } from "../stacks/synthesize";

const NAME = "projects/planted/locations/europe-west4/services/st-anna-serve";

/** The service of a hospital as it is synthesized, by itself: what it refers to is not there. */
function service(): Json {
  const { stacks } = synthesize([PROD]);
  const [found] = stackOf(stacks, "st-anna-app").resources("google_cloud_run_v2_service");
  const {
    depends_on: _,
    "//": __,
    ...config
  } = JSON.parse(JSON.stringify(found?.config).replace(/\$\{[^}]*\}/g, "known-later")) as Json;
  const { service_account: _account, encryption_key: _key, ...template } = config.template as Json;
  return { ...config, project: "planted", name: "st-anna-serve", template };
}

test("a deploy during a canary plans nothing, and moves no share; without the one ignored block it would", async () => {
  const command = findTerraform();
  await withScratch(async (scratch) => {
    const why = command === undefined ? "no terraform on PATH" : await providerProblem(command, scratch);
    if (command === undefined || why !== undefined) {
      process.stderr.write(`No canary was tried with the real provider: ${why}.\n`);
      return;
    }
    const echo = await startEcho([]);
    try {
      const folder = join(scratch, "serve");
      mkdirSync(folder);
      const write = (its: Json) => {
        const required_providers = { google: { source: "hashicorp/google", version: "~> 6.50" } };
        const resource = { google_cloud_run_v2_service: { serve: its } };
        const json = { terraform: { required_providers }, provider: { google: [{ project: "planted" }] }, resource };
        writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify(json));
      };
      const terraform = new Terraform(command, folder, scratch);
      const online = (...args: string[]) =>
        terraform.run([...args, "-input=false", "-no-color"], { apis: echo.environment });
      const planned = async () => {
        const { stdout, stderr, code } = await online("plan", "-detailed-exitcode");
        return { code, said: `${stdout}${stderr}` };
      };
      const shipped = service();
      write(shipped);
      expect(await terraform.init()).toMatchObject({ ok: true });
      expect(await online("apply", "-auto-approve")).toMatchObject({ ok: true });
      expect(await planned()).toMatchObject({ code: 0 });

      const shares = new CloudRunShares(NAME, { run: `${echo.url}/run` }, 5);
      const revision = shares.revisionName("0123abcd");
      await shares.makeRevision(revision, { PINNED_MODEL: "model-candidate", SHADOW_MODEL: "current" });
      await shares.give(revision, 10);
      expect(await shares.shareOf(revision)).toBe(10);
      // Neither the shares nor what the canary's revision was made of is there to be put right.
      expect(await planned()).toMatchObject({ code: 0 });
      // A deploy that does change something leaves the shares alone.
      write({ ...shipped, description: "Another" });
      expect(await online("apply", "-auto-approve")).toMatchObject({ ok: true });
      expect(await shares.shareOf(revision)).toBe(10);

      const { lifecycle: _, ...bare } = shipped;
      write({ ...bare, description: "Another" });
      expect(await planned()).toMatchObject({ code: 2, said: expect.stringMatching(/traffic/) });
      write({ ...shipped, description: "Another" });
      await shares.reset();
      expect(await shares.shareOf(revision)).toBe(0);
      expect(await planned()).toMatchObject({ code: 0 });
      expect(echo.gaps).toEqual([]);
    } finally {
      await echo.stop();
    }
  });
}, 300_000);
