import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bucket, Storage } from "@google-cloud/storage";
import { GcsStore } from "../../runtime/platform/stores";
import { ObjectStoreWarehouse } from "../../runtime/platform/warehouse";
import { findTerraform } from "../../tools/terraform";
import { type GcsServer, startGcsServer } from "../support/gcs-server";
import { imageRow } from "../support/image-row";

/** The restore drill of docs/operations.md, as far as it goes without Google: real versions of a bucket, real Terraform. */
let server: GcsServer;
let scratch: string;

beforeAll(async () => {
  server = await startGcsServer();
  scratch = mkdtempSync(join(tmpdir(), "restore-drill-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function bucketOf(name: string): Promise<Bucket> {
  await server.createBucket(name);
  return new Storage({ apiEndpoint: server.endpoint, projectId: "local" }).bucket(name);
}

/** `gcloud storage ls --all-versions`, oldest first. */
async function versions(bucket: Bucket, name: string): Promise<number[]> {
  const [files] = await bucket.getFiles({ prefix: name, versions: true });
  return files.map(({ metadata }) => Number(metadata.generation)).sort((a, b) => a - b);
}

/** `gcloud storage cp gs://BUCKET/NAME#GENERATION gs://BUCKET/NAME`. */
const restore = (bucket: Bucket, name: string, generation: number | undefined) =>
  bucket.file(name, { generation: String(generation) }).copy(bucket.file(name));

const contentOf = async (bucket: Bucket, name: string) => String((await bucket.file(name).download())[0]);

test("an object that was overwritten, then deleted, comes back as it was", async () => {
  const bucket = await bucketOf("mri-st-anna-models");
  const good = '{"model":"cnn-1"}';
  for (const content of [good, '{"model":"broken'])
    await bucket.file("current.json").save(content, { resumable: false });
  await bucket.file("current.json").delete();
  const [first, ...later] = await versions(bucket, "current.json");
  expect(later).toHaveLength(1);
  await restore(bucket, "current.json", first);
  expect(await contentOf(bucket, "current.json")).toBe(good);
});

test("rows of a table that were deleted come back, and are the rows that were", async () => {
  const bucket = await bucketOf("mri-st-anna-warehouse");
  const store = await GcsStore.open("gs://mri-st-anna-warehouse", server.endpoint);
  const table = new ObjectStoreWarehouse(store);
  for (const id of ["a", "b"]) await table.append("images", id, [imageRow(id)]);
  const before = await table.rows("images");
  await bucket.file("images/a.jsonl").delete();
  expect(await table.rows("images")).toHaveLength(1);
  await restore(bucket, "images/a.jsonl", (await versions(bucket, "images/a.jsonl")).at(-1));
  expect(await table.rows("images")).toEqual(before);
});

const terraform = findTerraform();
(terraform ? test : test.skip)(
  "a state that was overwritten comes back, and a plan over it changes nothing",
  async () => {
    const bucket = await bucketOf("mri-platform-state");
    const name = "st-anna-data/default.tfstate";
    const backend = { gcs: { bucket: bucket.name, prefix: "st-anna-data" } };
    const resource = { terraform_data: { bucket: { input: "mri-st-anna-landing" } } };
    writeFileSync(join(scratch, "cdk.tf.json"), JSON.stringify({ terraform: { backend }, resource }));
    const run = (...args: string[]) =>
      spawnSync(terraform as string, args, {
        cwd: scratch,
        encoding: "utf8",
        env: { ...process.env, GOOGLE_OAUTH_ACCESS_TOKEN: "dummy", CHECKPOINT_DISABLE: "1", TF_INPUT: "0" },
      });
    const plan = () => run("plan", "-detailed-exitcode", "-no-color").status;
    expect(run("init", `-backend-config=storage_custom_endpoint=${server.endpoint}/storage/v1/`).status).toBe(0);
    expect(run("apply", "-auto-approve").status).toBe(0);
    expect(plan()).toBe(0);

    // An empty state: everything would be made anew.
    const { serial, lineage } = JSON.parse(await contentOf(bucket, name));
    const lost = { version: 4, terraform_version: "1.9.0", serial: serial + 1, lineage, outputs: {}, resources: [] };
    await bucket.file(name).save(JSON.stringify(lost), { resumable: false });
    expect(plan()).toBe(2);
    await bucket.file(name).save("not a state", { resumable: false });
    expect(plan()).toBe(1);

    // The newest version that was whole is the third from the end.
    await restore(bucket, name, (await versions(bucket, name)).at(-3));
    expect(plan()).toBe(0);
  },
);
