import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { stopProcess } from "../../support/processes";
import { survive } from "./ordeal";

const INSTALL = "DCMTK's storescu is not there. Bring it: node scripts/setup-dcmtk.js";
/** Instances of one association: what was not confirmed is sent again with those that were. */
const BATCH = 10;

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await stopProcess(child);
});

/** Sends a batch by one association. @returns whether all of it was confirmed */
async function store(port: number, files: readonly string[], confirmed: () => void): Promise<boolean> {
  const child = spawn("storescu", ["-v", "-R", "-aec", "GATEWAY", "127.0.0.1", String(port), ...files], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const ended = once(child, "exit");
  child.stdout.resume();
  for await (const line of createInterface({ input: child.stderr }))
    if (line.includes("Received Store Response (Success)")) confirmed();
  const [code] = await ended;
  return code === 0;
}

test("storescu sends 200 instances, the gateway is killed five times and its network lost twice: 200 land, each once, none with a name", async () => {
  if (spawnSync("storescu", ["--version"]).status !== 0) throw new Error(INSTALL);
  const survived = await survive({
    instances: 200,
    kills: [15, 62, 104, 171],
    cuts: [
      [30, 80],
      [120, 160],
    ],
    async send(port, files, confirmed) {
      for (let at = 0; at < files.length; at += BATCH)
        while (!(await store(port, files.slice(at, at + BATCH), confirmed))) await sleep(200);
    },
  });
  expect({ ...survived, objects: survived.objects.length }).toEqual({
    objects: 200,
    versions: 200,
    telling: [],
    refused: 0,
    killed: 5,
    cut: 2,
  });
});
