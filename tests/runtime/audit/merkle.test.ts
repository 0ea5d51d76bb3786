import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  rootOf,
  rootOfInclusion,
} from "../../../runtime/audit/merkle";
import { BadNote, checkpointText, decodeKey, encodeKey, openCheckpoint, signedNote } from "../../../runtime/audit/note";
import { openSigner, type Signer } from "../../../runtime/audit/signer";
import { DamagedTile, nodesOf, tileName, tilesOfMore } from "../../../runtime/audit/tiles";
import { judge } from "../../support/merkle-judge";

let folder: string;
let signer: Signer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "merkle-"));
  signer = await openSigner(join(folder, "key.pem"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A tree whose tiles lie in a map, and what was read of them. */
class Tree {
  readonly tiles = new Map<string, Buffer>();
  size = 0;
  reads = 0;

  readonly read = async (name: string) => {
    this.reads++;
    return this.tiles.get(name);
  };

  async grow(leaves: readonly string[]): Promise<number> {
    const made = await tilesOfMore(this.read, this.size, leaves.map(leafHash));
    for (const { name, content } of made) {
      if (this.tiles.has(name)) throw new Error(`${name} was made twice.`);
      this.tiles.set(name, content);
    }
    this.size += leaves.length;
    return made.length;
  }

  nodes = (size = this.size) => nodesOf(this.read, size);

  root = (size = this.size) => rootOf(this.nodes(size), size);

  async note(size: number): Promise<string> {
    const root = await this.root(size);
    const text = checkpointText({ origin: signer.key.name, size, root, through: "2026-11-27T12:00:00.000Z" });
    return signedNote(text, signer.key, await signer.sign(Buffer.from(text)));
  }
}

const leafOf = (index: number) => `leaf ${index}`;
const leaves = (from: number, count: number) => Array.from({ length: count }, (_, i) => leafOf(from + i));

test("trees have the roots of the vectors that implementations of RFC 6962 share", async () => {
  const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  const tiles = new Map<string, Buffer>();
  const read = async (name: string) => tiles.get(name);
  const found = [EMPTY_ROOT.toString("hex")];
  for (const [size, input] of inputs.entries()) {
    const hash = leafHash(Buffer.from(input, "hex"));
    for (const { name, content } of await tilesOfMore(read, size, [hash])) tiles.set(name, content);
    found.push((await rootOf(nodesOf(read, size + 1), size + 1)).toString("hex"));
  }
  expect(found).toEqual(roots);
});

test("tiles have the names that c2sp.org/tlog-tiles gives them", () => {
  expect(tileName(0, 0, 256)).toBe("tile/0/000");
  expect(tileName(1, 0, 1)).toBe("tile/1/000.p/1");
  expect(tileName(0, 999, 256)).toBe("tile/0/999");
  expect(tileName(0, 1000, 256)).toBe("tile/0/x001/000");
  expect(tileName(3, 1234067, 70)).toBe("tile/3/x001/x234/067.p/70");
});

describe("what others verify", () => {
  const tree = new Tree();
  // Ends of tiles of both levels, both sides of them, and what lies between.
  const sizes = [1, 2, 255, 256, 257, 511, 513, 1000, 65_535, 65_536, 65_537, 66_000];
  beforeAll(async () => {
    for (const size of sizes) await tree.grow(leaves(tree.size, size - tree.size));
  });

  async function inclusion(index: number, size: number) {
    const proof = await inclusionProof(tree.nodes(size), index, size);
    const hash = leafHash(leafOf(index));
    expect(rootOfInclusion(index, size, hash, proof)).toEqual(await tree.root(size));
    return {
      leaf: { index, data: leafOf(index), hash: hash.toString("hex") },
      ...{ proof: proof.map((one) => one.toString("base64")), checkpoint: await tree.note(size) },
      key: encodeKey(signer.key),
    };
  }

  async function consistency(first: number, second: number) {
    const proof = await consistencyProof(tree.nodes(second), first, second);
    const [from, to] = [await tree.note(first), await tree.note(second)];
    return { proof: proof.map((one) => one.toString("base64")), from, to, key: encodeKey(signer.key) };
  }

  test("leaves are in the trees of every size", async () => {
    const proofs = [];
    for (const size of sizes)
      for (const index of new Set([0, size >> 1, size - 1, ...[254, 255, 256, 65_535].filter((i) => i < size)]))
        proofs.push(await inclusion(index, size));
    expect(new Set(judge(proofs))).toEqual(new Set(["ok"]));
    expect(judge(proofs)).toHaveLength(proofs.length);
  });

  test("each tree begins with every one before it", async () => {
    const proofs = [];
    for (const [at, second] of sizes.entries())
      for (const first of sizes.slice(0, at + 1)) proofs.push(await consistency(first, second));
    expect(judge(proofs)).toEqual(proofs.map(() => "ok"));
  });

  test("a proof in which anything was changed is refused", async () => {
    const good = await inclusion(256, 1000);
    const flipped = (hash: string) => {
      const bytes = Buffer.from(hash, "base64");
      bytes[31] = (bytes[31] as number) ^ 1;
      return bytes.toString("base64");
    };
    const changed = [
      ...good.proof.map((_, at) => ({ ...good, proof: good.proof.with(at, flipped(good.proof[at] as string)) })),
      { ...good, proof: good.proof.slice(1) },
      { ...good, proof: [...good.proof, good.proof[0]] },
      { ...good, leaf: { ...good.leaf, index: 257 } },
      { ...good, leaf: { index: 256, data: "leaf x", hash: leafHash("leaf x").toString("hex") } },
      { ...good, checkpoint: good.checkpoint.replace("\n1000\n", "\n1001\n") },
      { ...good, checkpoint: await tree.note(511) },
    ];
    const between = await consistency(257, 1000);
    const others = [
      ...between.proof.map((_, at) => ({
        ...between,
        proof: between.proof.with(at, flipped(between.proof[at] as string)),
      })),
      { ...between, from: between.to, to: between.from },
      { ...between, from: await tree.note(256) },
    ];
    expect(judge([good, between])).toEqual(["ok", "ok"]);
    for (const verdict of judge([...changed, ...others])) expect(verdict).not.toBe("ok");
    expect(judge([...changed, ...others])).toHaveLength(changed.length + others.length);
  });

  test("a proof reads a few tiles, and leaves are added by as few, whatever the size", async () => {
    tree.reads = 0;
    await inclusionProof(tree.nodes(), 40_000, tree.size);
    expect(tree.reads).toBeLessThanOrEqual(6);
    tree.reads = 0;
    expect(await tree.grow(leaves(tree.size, 10))).toBeLessThanOrEqual(2);
    expect(tree.reads).toBeLessThanOrEqual(2);
  });

  test("a tile that is missing or short is said by its name", async () => {
    const missing = nodesOf(async () => undefined, 300);
    await expect(inclusionProof(missing, 0, 300)).rejects.toThrow(DamagedTile);
    const short = nodesOf(async (name) => tree.tiles.get(name)?.subarray(1), 1000);
    await expect(inclusionProof(short, 0, 1000)).rejects.toThrow(/tile\/0\/\S+ is missing or damaged/);
    await expect(inclusionProof(tree.nodes(), tree.size, tree.size)).rejects.toThrow(RangeError);
  });
});

describe("a checkpoint", () => {
  const root = leafHash("x");

  test("is read back, and is refused where it was changed, or signed by another", async () => {
    const text = checkpointText({ origin: signer.key.name, size: 7, root, through: undefined });
    const note = signedNote(text, signer.key, await signer.sign(Buffer.from(text)));
    expect(openCheckpoint(note, signer.key)).toEqual({ origin: signer.key.name, size: 7, root, through: undefined });
    expect(decodeKey(encodeKey(signer.key))).toMatchObject({ name: signer.key.name, id: signer.key.id });
    const other = await openSigner(join(folder, "other.pem"));
    for (const bad of [note.replace("\n7\n", "\n8\n"), note.slice(0, -9), "", "a\n\nb\n"])
      expect(() => openCheckpoint(bad, signer.key)).toThrow(BadNote);
    expect(() => openCheckpoint(note, other.key)).toThrow(BadNote);
    expect(() => decodeKey(encodeKey(signer.key).replace(/\+[0-9a-f]{8}\+/, "+00000000+"))).toThrow(BadNote);
  });

  test("is signed by a key that its owner alone can read, which is made once", async () => {
    expect(statSync(join(folder, "key.pem")).mode & 0o777).toBe(0o600);
    expect((await openSigner(join(folder, "key.pem"))).key.name).toBe(signer.key.name);
    writeFileSync(join(folder, "bad.pem"), "no key");
    await expect(openSigner(join(folder, "bad.pem"))).rejects.toThrow(/bad\.pem cannot be read as a private key/);
    await expect(openSigner("gcp-kms://projects/p")).rejects.toThrow(/cryptoKeyVersions/);
  });

  test("is signed by Cloud KMS as by a file; an answer that was damaged on its way is none", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ type: "spki", format: "pem" });
    const uri = "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    const asked: string[] = [];
    const kms = (more: object = {}, algorithm = "EC_SIGN_ED25519") =>
      openSigner(uri, async ({ url, method, data }) => {
        asked.push(`${method} ${url}`);
        if (method === "GET") return { data: { pem, algorithm } };
        const bytes = Buffer.from((data as { data: string }).data, "base64");
        expect((data as { dataCrc32c: string }).dataCrc32c).toBe(String(crc32c(bytes)));
        const signature = sign(null, bytes, privateKey);
        const signatureCrc32c = String(crc32c(signature));
        return {
          data: { signature: signature.toString("base64"), signatureCrc32c, verifiedDataCrc32c: true, ...more },
        };
      });
    const cloud = await kms();
    const text = checkpointText({ origin: cloud.key.name, size: 1, root, through: undefined });
    const note = signedNote(text, cloud.key, await cloud.sign(Buffer.from(text)));
    const leaf = { index: 0, data: "x", hash: root.toString("hex") };
    expect(judge([{ leaf, proof: [], checkpoint: note, key: encodeKey(cloud.key) }])).toEqual(["ok"]);
    const version =
      "https://cloudkms.googleapis.com/v1/projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    expect(asked).toEqual([`GET ${version}/publicKey`, `POST ${version}:asymmetricSign`]);
    const damaged = await kms({ signatureCrc32c: "1" });
    await expect(damaged.sign(Buffer.from(text))).rejects.toThrow(/damaged signature/);
    await expect(kms({}, "RSA_SIGN_PSS_2048_SHA256")).rejects.toThrow(/not EC_SIGN_ED25519/);
  });
});
