import { serviceAgentMember, serviceAgentsOf } from "../../constructs/core/service-agents";
import { stateProblem } from "../../stacks/config";
import { hospitalServices } from "../../stacks/hospital-data-stack";
import { asRecord } from "../../stacks/sentences";
import { ask, askFor, type Check, deploy, failed, ok, prepare, skipped } from "./checkup";
import type { Policy } from "./grants";
import { DATA_KEY, keysIn } from "./keys";

/** The project is the one that the line says. */
export const project: Check = ({ hospital, run }) => {
  const found = askFor<{ projectNumber?: string; lifecycleState?: string }>(run, [
    "gcloud",
    "projects",
    "describe",
    hospital.project,
  ]);
  const correct = `Correct "project" and "projectNumber" of ${hospital.name}'s line.`;
  if (!found) return [failed("project", `There is no project ${hospital.project}, or you may not see it.`, correct)];
  if (found.projectNumber !== hospital.projectNumber)
    return [
      failed(
        "project",
        `${hospital.project} has the number ${found.projectNumber}; the line says ${hospital.projectNumber}, so another project's agents would get the key.`,
        correct,
      ),
    ];
  if (found.lifecycleState !== "ACTIVE")
    return [
      failed(
        "project",
        `${hospital.project} is ${found.lifecycleState}.`,
        `gcloud projects undelete ${hospital.project}`,
      ),
    ];
  return [ok("project", `${hospital.project} is there, with the number of the line.`)];
};

export const apis: Check = ({ hospital, run }) => {
  const enabled = ask<readonly { config?: { name?: string } }[]>(run, [
    "gcloud",
    "services",
    "list",
    "--enabled",
    `--project=${hospital.project}`,
  ]).map(({ config }) => config?.name);
  const wanted = hospitalServices(hospital);
  const missing = wanted.filter((service) => !enabled.includes(service));
  if (missing.length === 0) return [ok("apis", `All ${wanted.length} are on.`)];
  return [failed("apis", `${missing.length} are off: ${missing.join(", ")}.`, prepare(hospital))];
};

/**
 * Google's own identities. None can be asked for without making it: what shows that one exists is a grant to it, in the
 * project's policy or the key's.
 */
export const agents: Check = ({ hospital, declared, dry, run }) => {
  const policies = [
    ask<Policy>(run, ["gcloud", "projects", "get-iam-policy", hospital.project]),
    ...keysIn(declared, DATA_KEY).map((key) => askFor<Policy>(run, ["gcloud", "kms", "keys", "get-iam-policy", key])),
  ];
  const members = new Set(
    policies.flatMap((policy) => policy?.bindings ?? []).flatMap(({ members: found }) => found ?? []),
  );
  const wanted = serviceAgentsOf(hospital);
  const unseen = wanted.filter((agent) => !members.has(serviceAgentMember(hospital, agent)));
  if (unseen.length === 0) return [ok("agents", `All ${wanted.length} exist.`)];
  const says = `Nothing shows that ${unseen.length} of ${wanted.length} exist: ${unseen.join(", ")}.`;
  return [
    dry
      ? skipped("agents", says, `${prepare(hospital)} makes them, and may be repeated.`)
      : failed("agents", says, `${prepare(hospital)}, then ${deploy(hospital, "data")}`),
  ];
};

interface Bucket {
  readonly versioning_enabled?: boolean;
  readonly public_access_prevention?: string;
}

/** Where Terraform keeps what it made: a bucket that keeps versions. */
export const state: Check = ({ hospital, declared, dry, run }) =>
  declared.backends.map(({ stack, backend }) => {
    const check = `state of ${stack}`;
    const { bucket, prefix } = asRecord(backend.gcs);
    if (typeof bucket !== "string") {
      const problem = stateProblem({ ...hospital, stateBucket: undefined });
      return problem === undefined
        ? skipped(check, `It is a file on the machine that deploys; tier ${hospital.tier} may.`)
        : failed(check, problem, "Deploy bootstrap, then move the state (docs/operations.md, step 5).");
    }
    const found = askFor<Bucket>(run, ["gcloud", "storage", "buckets", "describe", `gs://${bucket}`]);
    if (!found) return failed(check, `There is no bucket ${bucket}.`, "npm run cdktf -- deploy bootstrap");
    const faults = [
      ...(found.versioning_enabled ? [] : ["it keeps no versions, so a damaged state is lost"]),
      ...(found.public_access_prevention === "enforced" ? [] : ["public access is not prevented"]),
    ];
    if (faults.length > 0)
      return failed(check, `The bucket ${bucket}: ${faults.join("; ")}.`, "npm run cdktf -- deploy bootstrap");
    if (dry) return ok(check, `The bucket ${bucket} is there and keeps versions.`);
    const name = `gs://${bucket}/${prefix}/default.tfstate`;
    const object = askFor<object>(run, ["gcloud", "storage", "objects", "describe", name]);
    return object
      ? ok(check, `${name} is there, with versions.`)
      : failed(check, `There is no ${name}: the stack was not deployed from here.`, `npm run cdktf -- deploy ${stack}`);
  });
