import type { Json } from "../json";
import { recordOf } from "../json";
import { invalid } from "../problem";
import { type Context, NOW, resourceService } from "../resources";
import { checkAccount } from "./iam";

/** https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs */
export const cloudScheduler = resourceService({
  name: "cloudscheduler",
  endpoints: { CLOUD_SCHEDULER: "v1" },
  maps: ["headers"],
  kinds: [
    {
      collection: "projects/*/locations/*/jobs",
      id: ({ body }) => String(body.name).split("/").pop(),
      complete: completeJob,
      verbs: { pause: becomes("PAUSED"), resume: becomes("ENABLED") },
    },
  ],
});

function completeJob(job: Json, { name, world, before }: Context): Json {
  const target = recordOf(job.httpTarget);
  if (typeof target.uri !== "string") throw invalid("A job has a target.");
  checkAccount(
    recordOf(target.oauthToken).serviceAccountEmail ?? recordOf(target.oidcToken).serviceAccountEmail,
    world,
  );
  if (typeof target.body === "string") JSON.parse(Buffer.from(target.body, "base64").toString());
  return {
    attemptDeadline: "180s",
    ...job,
    name,
    // It is paused and resumed by calls of their own.
    state: before?.state ?? "ENABLED",
    userUpdateTime: NOW,
    scheduleTime: NOW,
    retryConfig: {
      maxRetryDuration: "0s",
      minBackoffDuration: "5s",
      maxBackoffDuration: "3600s",
      maxDoublings: 5,
      ...recordOf(job.retryConfig),
    },
    httpTarget: { ...target, headers: { "User-Agent": "Google-Cloud-Scheduler", ...recordOf(target.headers) } },
  };
}

function becomes(state: "PAUSED" | "ENABLED") {
  return (job: Json, _request: unknown, { name, world }: Context): Json =>
    world.store.put(`cloudscheduler/${name}`, { ...job, state });
}
