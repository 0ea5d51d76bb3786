import { type Json, PROD, type Resource, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const BACKBONE = `gs://${TEST.project}-${TEST.name}-models/backbones/efficientnet-lite0`;
const { stacks } = synthesize([PROD, { ...TEST, features: { backbone: BACKBONE } }]);

interface Job {
  readonly step_id: string;
  readonly prerequisite_step_ids?: readonly string[];
  readonly pyspark_job: { readonly args: readonly string[]; readonly main_python_file_uri: string };
}
const templateOf = (hospital: string) =>
  stackOf(stacks, `${hospital}-app`).resources("google_dataproc_workflow_template")[0] as Resource;
const jobsOf = (hospital: string) => templateOf(hospital).config.jobs as readonly Job[];
const masterOf = (hospital: string) => {
  const { config } = (templateOf(hospital).config.placement as { managed_cluster: { config: Json } }).managed_cluster;
  return (config.master_config as Json).machine_type;
};

test("a network that the line names sees every picture in a step of its own, and takes no larger master", () => {
  const deep = jobsOf("sandbox").find(({ step_id }) => step_id === "deep");
  expect(deep?.prerequisite_step_ids).toEqual(["pca"]);
  expect(deep?.pyspark_job.args).toContain(`BACKBONE=${BACKBONE}`);
  expect(deep?.pyspark_job.main_python_file_uri).toContain("deep");
  expect(masterOf("sandbox")).toBe(masterOf("st-anna"));
});

test("the other steps hear nothing of it, and a line that names none has no such step", () => {
  const others = jobsOf("sandbox").filter(({ step_id }) => step_id !== "deep");
  expect(others.map(({ step_id }) => step_id)).toEqual(jobsOf("st-anna").map(({ step_id }) => step_id));
  expect(JSON.stringify(others)).not.toContain("BACKBONE");
  expect(JSON.stringify(templateOf("st-anna").config)).not.toMatch(/BACKBONE|deep\.py/);
});

test("the cluster reads its folder by the right that the contract declares", () => {
  const reads = stackOf(stacks, "sandbox-app")
    .resources("google_storage_bucket_iam_member")
    .filter(({ path, config }) => path.includes("/preprocess/identity/") && /-models$/.test(String(config.bucket)))
    .map(({ config }) => config.role);
  expect(reads).toContain("roles/storage.objectViewer");
});
