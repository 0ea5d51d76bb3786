import { createHmac } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import { identitiesUnder, KmsPseudonymiser, openIdentities, openPseudonymiser } from "../../../runtime/intake";
import { ConfigurationError } from "../../../runtime/platform/config";

const KEY = "local:a key of this test";
const UID = "1.2.840.113619.2.5.1762583153.215519.978957063.78";

test("a patient has the pseudonym of the manifest, with padding or without", async () => {
  const identities = await openIdentities(KEY);
  const expected = await openPseudonymiser(KEY).pseudonym("MRN-4711");
  for (const id of ["MRN-4711", "MRN-4711 ", " MRN-4711\0", "MRN-\x1b4711"])
    expect((await identities.of(id)).patient).toBe(expected);
  for (const id of [undefined, "", "  ", "\0"]) expect((await identities.of(id)).patient).toBeUndefined();
});

test("UIDs and accession numbers have names that are valid, differ and do not depend on the patient", async () => {
  const identities = await openIdentities(KEY);
  const [one, other, nobody] = await Promise.all(["1", "2", undefined].map((id) => identities.of(id)));
  const uids = Array.from({ length: 500 }, (_, i) => `${UID}.${i}`);
  const names = uids.map((uid) => one?.uid(uid));
  expect(new Set(names).size).toBe(uids.length);
  for (const name of names) expect(name).toMatch(/^2\.25\.(0|[1-9]\d{0,38})$/);
  expect(uids.map((uid) => other?.uid(uid))).toEqual(names);
  expect(nobody?.uid(`${UID}.0\0`)).toBe(names[0]);
  expect(one?.accession("A-1")).toMatch(/^[0-9A-F]{16}$/);
  expect(other?.accession(" A-1 ")).toBe(one?.accession("A-1"));
  expect(one?.accession("A-2")).not.toBe(one?.accession("A-1"));
});

test("names are what is written down: HMAC-SHA256 under a key derived from the key", async () => {
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const derived = hmac("a key of this test", "\0dicom-identifiers-v1");
  const names = await (await openIdentities(KEY)).of("MRN-4711");
  const first = hmac(derived, `uid\0${UID}`).subarray(0, 16);
  expect(names.uid(UID)).toBe(`2.25.${BigInt(`0x${first.toString("hex")}`)}`);
  expect(names.accession("A-1").toLowerCase()).toBe(hmac(derived, "accession\0A-1").toString("hex", 0, 8));
  expect(names.dayShift).toBe(1 + (hmac(derived, "days\0MRN-4711").readUInt32BE() % 3652));
});

test("dates of a patient lie 1 to 3,652 days earlier, of patients differently, of nobody by one of the key", async () => {
  const identities = await openIdentities(KEY);
  const shifts = await Promise.all(Array.from({ length: 500 }, async (_, i) => (await identities.of(`${i}`)).dayShift));
  for (const shift of shifts) expect(Number.isInteger(shift) && shift >= 1 && shift <= 3652).toBe(true);
  expect(new Set(shifts).size).toBeGreaterThan(400);
  expect((await identities.of("7 ")).dayShift).toBe(shifts[7]);
  expect((await identities.of(undefined)).dayShift).toBe((await identities.of(" ")).dayShift);
});

test("another key gives other names", async () => {
  const [mine, theirs] = await Promise.all(
    ["local:1", "local:2"].map(async (key) => (await openIdentities(key)).of("p")),
  );
  expect(theirs?.patient).not.toBe(mine?.patient);
  expect(theirs?.uid(UID)).not.toBe(mine?.uid(UID));
  expect(theirs?.accession("A")).not.toBe(mine?.accession("A"));
});

test("no patient's id makes the derived key their pseudonym", async () => {
  const derived = await openPseudonymiser(KEY).pseudonym("\0dicom-identifiers-v1");
  const identities = await openIdentities(KEY);
  for (const id of ["\0dicom-identifiers-v1", "dicom-identifiers-v1", "\0\0dicom-identifiers-v1 "])
    expect((await identities.of(id)).patient).not.toBe(derived);
});

test("a key in Cloud KMS is asked once for the derived key and once a patient", async () => {
  const asked: string[] = [];
  const key = Buffer.from("the key that never leaves");
  const version = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
  const kms = new KmsPseudonymiser(version, async ({ data }) => {
    const text = Buffer.from((data as { data: string }).data, "base64").toString();
    asked.push(text);
    const mac = createHmac("sha256", key).update(text).digest();
    return { data: { mac: mac.toString("base64"), macCrc32c: String(crc32c(mac)), verifiedDataCrc32c: true } };
  });
  const identities = await identitiesUnder(kms);
  const names = await identities.of("MRN-4711 ");
  await identities.of("MRN-4711");
  const local = await (await openIdentities(`local:${key.toString()}`)).of("MRN-4711");
  expect({ ...names, uid: names.uid(UID), accession: names.accession("A") }).toEqual({
    ...local,
    uid: local.uid(UID),
    accession: local.accession("A"),
  });
  expect(asked).toEqual(["\0dicom-identifiers-v1", "MRN-4711"]);
});

test("a key that is none is refused, and one that does not answer is an error at once", async () => {
  await expect(async () => openIdentities("secret")).rejects.toThrow(ConfigurationError);
  await expect(identitiesUnder({ pseudonym: () => Promise.reject(new Error("no answer")) })).rejects.toThrow(
    "no answer",
  );
});
