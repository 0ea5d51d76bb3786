import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PROCESS } from "../../../runtime/platform/process-mark";
import { openWorkspace } from "../../../runtime/platform/workspace";

const MAIN = resolve(__dirname, "../../../dist/runtime/cli/main.js");

let folder: string;
let key: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "deliver-cli-"));
  key = join(folder, "key.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  await (await openWorkspace(join(folder, "workspace"))).close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const deliver = (...args: string[]) => spawnSync(process.execPath, [MAIN, "deliver", ...args], { encoding: "utf8" });

test("everything that is wrong is told at once, and nothing is done: exit 2", () => {
  const { status, stderr } = deliver(
    ...["--out", join(folder, "nowhere"), "--to", "http://hospital.example/fhir", "--signing-key", `${key}.not`],
    ...["--token-url", "https://u:p@hospital.example/token", "--cert", key, "--ca", `${key}.ca`],
  );
  expect(status).toBe(2);
  for (const part of [
    "key.pem.not cannot be read (ENOENT)",
    "--to http://hospital.example/fhir is no https URL",
    "--token-url, --client-id and --client-secret-file belong together",
    "--token-url holds a password",
    "--cert and --key belong together",
    "key.pem.ca cannot be read (ENOENT)",
    "nowhere is not there",
  ])
    expect(stderr).toContain(part);
  expect(deliver("--out", join(folder, "workspace"), "--signing-key", key)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--to is missing"),
  });
  expect(deliver("--to", "https://hospital.example", "--signing-key", key, "--format", "hl7").status).toBe(2);
});

test("public keys are a JWK set without the private part", () => {
  const { status, stdout } = deliver("--signing-key", key, "--public-keys");
  expect(status).toBe(0);
  const [jwk] = JSON.parse(stdout).keys;
  expect(Object.keys(jwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
});

test("beside another delivery nothing is delivered: both would send what neither has written down", () => {
  const workspace = join(folder, "workspace");
  // As a command of its own leaves it while it runs: this process is alive.
  const marks = join(workspace, ".store/busy");
  mkdirSync(marks, { recursive: true });
  const mark = join(marks, `${PROCESS}-once-deliver`);
  writeFileSync(mark, "");
  const args = ["--out", workspace, "--to", "http://127.0.0.1:9/fhir", "--signing-key", key];
  expect(deliver(...args)).toMatchObject({ status: 1, stderr: expect.stringContaining("deliver is at work on") });
  rmSync(mark);
  expect(deliver(...args).status).toBe(0);
});

test("a workspace without answers has nothing to deliver: exit 0", () => {
  const args = ["--out", join(folder, "workspace"), "--to", "http://127.0.0.1:9/fhir", "--signing-key", key];
  const { status, stdout } = deliver(...args, "--json");
  expect([status, JSON.parse(stdout)]).toEqual([
    0,
    { delivered: 0, waiting: 0, dead: 0, unfit: 0, noStudy: 0, problems: [] },
  ]);
  expect(deliver(...args).stdout).toMatch(/^0 delivered, .*\n.*not for diagnostic use/is);
});
