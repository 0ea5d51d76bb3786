import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Certificates } from "../../support/certificates";
import { onOwnDisk } from "../../support/disks";
import { freePort, stopProcess } from "../../support/processes";
import { pydicomPython } from "../../support/pydicom";
import { writeInstance } from "./instances";
import { startCommand, survive } from "./ordeal";

const SENDER = join(__dirname, "send.py");
const MAIN = join(__dirname, "..", "..", "..", "dist", "runtime", "cli", "main.js");

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gateway-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) await stopProcess(child);
  rmSync(folder, { recursive: true, force: true });
});

test("16 instances, a gateway that is killed three times, a network that is lost twice: 16 land, each once, none with a name", async () => {
  const survived = await survive({
    instances: 16,
    kills: [4, 9],
    cuts: [
      [2, 6],
      [11, 13],
    ],
    async send(port, files, confirmed) {
      const child = spawn(pydicomPython(), [SENDER, "--port", String(port), "--tries", "10000", ...files], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      children.push(child);
      for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("0000 ")) confirmed();
    },
  });
  expect({ ...survived, objects: survived.objects.length }).toEqual({
    objects: 16,
    versions: 16,
    telling: [],
    refused: 0,
    killed: 3,
    cut: 2,
  });
});

test("a full disk is out of resources; what was confirmed stays whole, and what still fits is taken", async () => {
  const sized = (number: number, bytes: number) =>
    writeInstance(folder, number, [[0x0040_a160, "UT", "x".repeat(bytes)]]);
  const sent = [sized(1, 300_000), sized(2, 300_000), sized(3, 3_600_000), sized(4, 300_000)];
  const [, , tooLarge] = sent;
  const kept = join(folder, "kept");
  const port = await freePort();
  const { stdout, stderr } = onOwnDisk(`
small 4000
export PSEUDONYM_KEY=local:test GCS_API_ENDPOINT=http://127.0.0.1:1
run '${process.execPath}' '${MAIN}' gateway --aet GATEWAY --port ${port} --bucket gs://landing --spool "$DISK/home" \
  --reserve 1 > /dev/null 2> '${join(folder, "log")}' &
'${pydicomPython()}' '${SENDER}' --port ${port} --tries 1000 ${sent.map(({ file }) => `'${file}'`).join(" ")} 2> /dev/null
ls "$DISK/home/spool/incoming" | sed 's/^/left /'
cp -r "$DISK/home/spool/waiting" '${kept}'
kill "$(ls "$DISK/home" | sed -n 's/^lock-\\([0-9]*\\)-.*/\\1/p')"
wait`);
  const lines = stdout.split("\n").filter((line) => /^(0000|a700|left)/.test(line));
  expect([lines, stderr]).toEqual([
    sent.map((one) => `${one === tooLarge ? "a700" : "0000"} ${one.file}`),
    expect.any(String),
  ]);
  expect(readFileSync(join(folder, "log"), "utf8")).toMatch(/ENOSPC|EFBIG/);
  const files = readdirSync(kept).map((name) => readFileSync(join(kept, name)));
  expect(files).toHaveLength(3);
  for (const { dataSet } of sent.filter((one) => one !== tooLarge))
    expect(files.filter((file) => file.subarray(-dataSet.length).equals(dataSet))).toHaveLength(1);
});

describe("the command", () => {
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const { PSEUDONYM_KEY: _, ...inherited } = process.env;
    const { status, stderr } = spawnSync(process.execPath, [MAIN, "gateway", ...args], {
      encoding: "utf8",
      env: { ...inherited, ...env },
    });
    return { status, stderr };
  };

  test("all that is wrong is said at once, and nothing is made", () => {
    const given = [
      "--aet",
      "GATEWAY",
      "--bucket",
      "gs://b",
      "--host",
      "0.0.0.0",
      "--tls-cert",
      join(folder, "none.pem"),
    ];
    const { status, stderr } = run(given);
    expect(status).toBe(2);
    for (const part of ["--spool is missing", "PSEUDONYM_KEY is not set", "--host 0.0.0.0", "none.pem", "go together"])
      expect(stderr).toContain(part);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each<[string, readonly string[], string]>([
    ["no landing", ["--aet", "A"], "Give either --bucket gs://BUCKET or --out DIR."],
    ["a title that is too long", ["--aet", "A".repeat(17), "--out", "x"], "no application entity title"],
    ["no title", ["--out", "x"], "--aet"],
    ["a range that is none", ["--aet", "A", "--out", "x", "--allow-address", "10.0.0.0/40"], "no address and no range"],
    [
      "other machines under any title",
      ["--aet", "A", "--out", "x", "--host", "0.0.0.0", "--allow-address", "10.0.0.0/8"],
      "--allow-aet is missing",
    ],
    [
      "other machines that reach nothing",
      ["--aet", "A", "--out", "x", "--allow-aet", "MR1", "--allow-address", "10.0.0.0/8"],
      "give --host 0.0.0.0",
    ],
  ])("%s is wrong usage", (_, args, part) => {
    const { status, stderr } = run(args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(part)]);
  });

  test("two processes never work in one spool, however they come; one that was killed keeps nobody out", async () => {
    const args = ["--aet", "GATEWAY", "--port", "0", "--out", join(folder, "ws")];
    const spool = join(folder, "ws", "gateway");
    const begin = () => {
      const child = spawn(process.execPath, [MAIN, "gateway", ...args], { stdio: ["ignore", "pipe", "pipe"] });
      children.push(child);
      let told = "";
      child.stderr.on("data", (chunk) => {
        told += String(chunk);
      });
      return new Promise<{ child: ChildProcess; status: number | null | "listens"; told: () => string }>((resolve) => {
        createInterface({ input: child.stdout }).once("line", () =>
          resolve({ child, status: "listens", told: () => told }),
        );
        child.once("close", (status) => resolve({ child, status, told: () => told }));
      });
    };
    // At once: one stays.
    const both = await Promise.all([begin(), begin()]);
    const working = both.filter(({ status }) => status === "listens");
    expect(working).toHaveLength(1);
    const out = both.find(({ status }) => status !== "listens");
    expect([out?.status, out?.told()]).toEqual([2, expect.stringMatching(/process \d+ works in .* already/)]);
    const [first] = working as [(typeof working)[number]];
    const second = await begin();
    expect([second.status, second.told()]).toEqual([2, expect.stringContaining(`process ${first.child.pid} works in`)]);
    expect(readdirSync(spool).filter((name) => name.startsWith("lock-"))).toHaveLength(1);
    await stopProcess(first.child);
    const next = await begin();
    expect(next.status).toBe("listens");
    expect(readdirSync(spool).filter((name) => name.startsWith("lock-"))).toEqual([
      expect.stringMatching(new RegExp(`^lock-${next.child.pid}-`)),
    ]);
  });

  test("TLS: who shows a certificate of the authority is let in, and nobody else", async () => {
    const certificates = new Certificates(folder);
    for (const authority of ["ca", "elsewhere"]) certificates.makeAuthority(authority);
    certificates.make("server", "ca");
    certificates.make("client", "ca");
    certificates.make("stranger", "elsewhere");
    const pem = (name: string) => certificates.path(name);
    const port = await freePort();
    const tls = ["--tls-cert", pem("server"), "--tls-key", pem("server-key"), "--tls-ca", pem("ca")];
    children.push(await startCommand(["--port", String(port), "--out", join(folder, "ws"), ...tls]));
    const echo = (...args: readonly string[]) =>
      spawnSync(pydicomPython(), [SENDER, "--port", String(port), ...args], { encoding: "utf8" }).stdout;
    expect(echo("--ca", pem("ca"), "--cert", pem("client"), "--key", pem("client-key"))).toBe("0000 echo\ndone\n");
    expect(echo("--ca", pem("ca"))).toBe("aborted\n");
    expect(echo("--ca", pem("ca"), "--cert", pem("stranger"), "--key", pem("stranger-key"))).toBe("aborted\n");
    expect(echo()).toBe("aborted\n");
  });
});
