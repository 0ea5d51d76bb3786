import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

// What dciodvfy and dsrdump themselves find is no test: Debian's packages are not everywhere. Here stand-ins speak for them.

const COMMAND = resolve(__dirname, "../../dist/tools/verify-exchange.js");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "verify-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs it with these commands on the path, and no others. */
function verifyExchange(commands: Readonly<Record<string, string>>) {
  const path = mkdtempSync(join(folder, "bin-"));
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(path, name), 0o755);
  }
  const out = join(folder, "out");
  mkdirSync(out, { recursive: true });
  return spawnSync(process.execPath, [COMMAND, "--out", out], { encoding: "utf8", env: { PATH: path } });
}

test("what is missing is named, all of it, with how it is installed: exit 2", () => {
  const { status, stderr } = verifyExchange({});
  expect(status).toBe(2);
  expect(stderr).toContain("There is no dciodvfy. On Debian and Ubuntu: sudo apt-get install dicom3tools");
  expect(stderr).toContain("There is no dsrdump. On Debian and Ubuntu: sudo apt-get install dcmtk");
});

test("warnings pass, errors of either do not, nor does a judge that fails", () => {
  const warning = "echo 'Warning - Unrecognized defined term' >&2; exit 1";
  expect(verifyExchange({ dciodvfy: warning, dsrdump: "" })).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^ok .*\nNo error\.\n$/s),
  });
  const error = verifyExchange({ dciodvfy: "echo 'Error - Missing attribute' >&2", dsrdump: "" });
  expect(error).toMatchObject({ status: 1, stdout: expect.stringContaining("sc.dcm: dciodvfy: Error - Missing") });
  const unread = verifyExchange({ dciodvfy: "", dsrdump: "echo 'E: cannot read' >&2; exit 1" });
  expect(unread).toMatchObject({ status: 1, stdout: expect.stringContaining("sr.dcm: dsrdump: E: cannot read") });
  expect(verifyExchange({ dciodvfy: "", dsrdump: "exit 3" }).status).toBe(1);
});
