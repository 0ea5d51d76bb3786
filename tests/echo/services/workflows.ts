import { type Json, recordOf } from "../json";
import { invalid } from "../problem";
import { type Context, doneOperation, NOW, resourceService } from "../resources";
import { checkAccount } from "./iam";
import { checkKey } from "./kms";

/** https://cloud.google.com/workflows/docs/reference/rest/v1/projects.locations.workflows */
export const workflows = resourceService({
  name: "workflows",
  endpoints: { WORKFLOWS: "v1" },
  operation: doneOperation,
  maps: ["userEnvVars", "tags"],
  kinds: [
    {
      collection: "projects/*/locations/*/workflows",
      id: ({ query }) => query.get("workflowId"),
      complete: completeWorkflow,
    },
  ],
});

function completeWorkflow(workflow: Json, { name, world, before }: Context): Json {
  if (typeof workflow.sourceContents !== "string") throw invalid("A workflow has a source.");
  JSON.parse(workflow.sourceContents);
  checkKey(workflow.cryptoKeyName, world);
  checkAccount(String(workflow.serviceAccount ?? "").replace(/^.*\//, ""), world);
  const revision = Number(String(before?.revisionId ?? "000000").slice(0, 6)) + 1;
  return {
    ...workflow,
    userEnvVars: recordOf(workflow.userEnvVars),
    name,
    state: "ACTIVE",
    revisionId: `${String(revision).padStart(6, "0")}-abc`,
    createTime: NOW,
    updateTime: NOW,
    revisionCreateTime: NOW,
  };
}
