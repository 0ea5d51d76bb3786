import { type Echo, startEcho } from ".";
import { withoutDefaults } from "./json";

const KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

let echo: Echo;
beforeEach(async () => {
  echo = await startEcho();
});
afterEach(() => echo.stop());

/** @returns status, then body */
async function ask(method: string, path: string, body?: object): Promise<[number, Record<string, unknown>]> {
  const response = await fetch(`${echo.url}/${path}`, {
    method,
    headers: { "content-type": "application/json", "x-goog-user-project": "billed" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return [response.status, (await response.json()) as Record<string, unknown>];
}

const topic = "pubsub/v1/projects/p/topics/t";

test("what is written is what is read, with the name that it was given", async () => {
  expect(await ask("PUT", topic, { labels: { a: "b" } })).toEqual([
    200,
    expect.objectContaining({ labels: { a: "b" } }),
  ]);
  expect(await ask("GET", topic)).toEqual([200, { name: "projects/p/topics/t", labels: { a: "b" } }]);
});

test("a second one of the same name is refused, and none is found after it was deleted", async () => {
  const pool = "iam/v1/projects/p/locations/global/workloadIdentityPools";
  expect((await ask("POST", `${pool}?workloadIdentityPoolId=x`, {}))[0]).toBe(200);
  expect((await ask("POST", `${pool}?workloadIdentityPoolId=x`, {}))[0]).toBe(409);
  expect((await ask("DELETE", `${pool}/x`))[0]).toBe(200);
  expect((await ask("DELETE", `${pool}/x`))[0]).toBe(404);
  const [status, body] = await ask("GET", `${pool}/x`);
  expect([status, body]).toEqual([404, { error: expect.objectContaining({ code: 404, status: "NOT_FOUND" }) }]);
});

test("a mask names what is changed, and takes away what is not given", async () => {
  await ask("PUT", topic, { labels: { a: "b" }, messageRetentionDuration: "600s" });
  await ask("PATCH", `${topic}?updateMask=labels,messageRetentionDuration`, { topic: { labels: { c: "d" } } });
  expect((await ask("GET", topic))[1]).toEqual({ name: "projects/p/topics/t", labels: { c: "d" } });
});

test("JSON leaves out what is a default, and keeps a message that was set, fields with presence and maps", () => {
  const message = { no: false, zero: 0, empty: "", none: [], message: { no: false }, wrapped: false, map: { a: "" } };
  expect(withoutDefaults(message, new Set(["wrapped"]), new Set(["map"]))).toEqual({
    message: {},
    wrapped: false,
    map: { a: "" },
  });
});

test("a policy is replaced only by whoever read the last one", async () => {
  await ask("PUT", topic, {});
  const [, first] = await ask("GET", `${topic}:getIamPolicy`);
  const bindings = [{ role: "roles/pubsub.publisher", members: ["user:b@c.d", "user:a@b.c", "user:b@c.d"] }];
  const [, second] = await ask("POST", `${topic}:setIamPolicy`, { policy: { bindings, etag: first.etag } });
  expect(second.bindings).toEqual([{ role: "roles/pubsub.publisher", members: ["user:a@b.c", "user:b@c.d"] }]);
  expect((await ask("POST", `${topic}:setIamPolicy`, { policy: { bindings: [], etag: first.etag } }))[0]).toBe(409);
  expect(echo.contents().map(({ name }) => name)).toContain(
    "pubsub/projects/p/topics/t roles/pubsub.publisher user:a@b.c",
  );
  expect((await ask("GET", "pubsub/v1/projects/p/topics/none:getIamPolicy"))[0]).toBe(404);
});

test("a label is set only with the fingerprint that was read, and what is in use is not deleted", async () => {
  const global = "compute/v1/projects/p/global";
  await ask("POST", `${global}/networks`, { name: "n", autoCreateSubnetworks: false });
  await ask("POST", `${global}/firewalls`, { name: "f", network: "projects/p/global/networks/n", direction: "EGRESS" });
  expect((await ask("GET", `${global}/firewalls/f`))[1]).toMatchObject({
    network: "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
    destinationRanges: ["0.0.0.0/0"],
  });
  expect((await ask("DELETE", `${global}/networks/n`))[0]).toBe(400);
  await ask("POST", `${global}/addresses`, { name: "a" });
  expect((await ask("POST", `${global}/addresses/a/setLabels`, { labels: {}, labelFingerprint: "old" }))[0]).toBe(412);
  expect((await ask("POST", `${global}/firewalls`, { name: "g", network: "projects/p/global/networks/none" }))[0]).toBe(
    404,
  );
});

test("a bucket with something in it stays, and a key and its version stay for ever", async () => {
  await ask("POST", "storage/v1/b?project=p", { name: "bucket" });
  const upload = await fetch(`${echo.url}/upload/storage/v1/b/bucket/o?name=a/b&uploadType=multipart`, {
    method: "POST",
    headers: { "content-type": "multipart/related; boundary=x" },
    body: "--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n",
  });
  expect(await upload.json()).toMatchObject({
    size: "5",
    md5Hash: "XUFAKrxLKna5cZ2REBfFkg==",
    contentType: "text/plain",
  });
  expect((await ask("DELETE", "storage/v1/b/bucket"))[0]).toBe(409);
  expect((await ask("DELETE", "storage/v1/b/bucket/o/a%2Fb"))[0]).toBe(200);
  expect((await ask("DELETE", "storage/v1/b/bucket"))[0]).toBe(200);

  await ask("POST", "kms/v1/projects/p/locations/l/keyRings?keyRingId=r", {});
  await ask("POST", "kms/v1/projects/p/locations/l/keyRings/r/cryptoKeys?cryptoKeyId=k", {
    purpose: "ENCRYPT_DECRYPT",
  });
  await ask("POST", `kms/v1/${KEY}/cryptoKeyVersions/1:destroy`, {});
  expect(echo.contents()).toContainEqual({
    name: `kms/${KEY}/cryptoKeyVersions/1`,
    by: "",
    state: "DESTROY_SCHEDULED",
  });
  // What it encrypts cannot be written any more.
  const encryption = { defaultKmsKeyName: KEY };
  expect((await ask("POST", "storage/v1/b?project=p", { name: "other", encryption }))[0]).toBe(400);
});

test("a request that it does not know is an error of 501, and kept as a gap", async () => {
  expect((await ask("GET", "pubsub/v1/projects/p/snapshots/s"))[0]).toBe(501);
  expect((await ask("GET", "elsewhere/v1/x"))[0]).toBe(501);
  expect(echo.gaps).toHaveLength(2);
});
