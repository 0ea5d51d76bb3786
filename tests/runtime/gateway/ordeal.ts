import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { GcsStore } from "../../../runtime/platform/stores";
import { CuttingProxy } from "../../support/cutting-proxy";
import { startGcsServer } from "../../support/gcs-server";
import { freePort, stopProcess } from "../../support/processes";
import { PLANTED, writeInstance } from "./instances";

const MAIN = join(__dirname, "..", "..", "..", "dist", "runtime", "cli", "main.js");

/** The command, listening. */
export async function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, "gateway", "--aet", "GATEWAY", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...env },
  });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line"),
    once(child, "exit").then(([code]) => [`it ended with ${code}`]),
  ]);
  if (!String(line).includes(" listens on ")) throw new Error(`The gateway did not start: ${line}.`);
  return child;
}

export interface Ordeal {
  readonly instances: number;
  /** After so many confirmations the gateway is killed, and started again. */
  readonly kills: readonly number[];
  /** From one number of confirmations to another there is no network between gateway and bucket. */
  readonly cuts: readonly (readonly [from: number, to: number])[];
  /** Sends files until each was confirmed, however often the gateway goes away; calls `confirmed` at each confirmation. */
  send(port: number, files: readonly string[], confirmed: () => void): Promise<void>;
}

export interface Survived {
  /** Names of what landed. */
  readonly objects: readonly string[];
  /** Versions of all objects together. */
  readonly versions: number;
  /** Objects in which something planted stands. */
  readonly telling: readonly string[];
  readonly refused: number;
  readonly killed: number;
  readonly cut: number;
}

/** Sends instances to a gateway that is killed, and loses its bucket, meanwhile; and waits until the spool is empty. */
export async function survive(ordeal: Ordeal): Promise<Survived> {
  const folder = mkdtempSync(join(tmpdir(), "ordeal-"));
  const gcs = await startGcsServer();
  await gcs.createBucket("landing");
  const proxy = await CuttingProxy.start(Number(new URL(gcs.endpoint).port));
  const port = await freePort();
  const spool = join(folder, "home");
  const start = () =>
    startCommand(["--port", String(port), "--bucket", "gs://landing", "--spool", spool, "--reserve", "1"], {
      PSEUDONYM_KEY: "local:test",
      GCS_API_ENDPOINT: `http://127.0.0.1:${proxy.port}`,
    });
  let gateway = await start();
  try {
    mkdirSync(join(folder, "sent"));
    const files = Array.from({ length: ordeal.instances }, (_, i) => writeInstance(join(folder, "sent"), i + 1).file);
    let confirmations = 0;
    let killed = 0;
    let restarting = Promise.resolve();
    let cut = 0;
    const kill = async () => {
      await stopProcess(gateway);
      gateway = await start();
      killed++;
    };
    await ordeal.send(port, files, () => {
      confirmations++;
      if (ordeal.kills.includes(confirmations)) restarting = restarting.then(kill);
      if (ordeal.cuts.some(([from]) => from === confirmations)) {
        proxy.cut();
        cut++;
      }
      if (ordeal.cuts.some(([, to]) => to === confirmations)) proxy.restore();
    });
    await restarting;
    // Once more while it forwards.
    proxy.restore();
    await kill();
    const waiting = () => readdirSync(join(spool, "spool", "waiting")).length;
    while (waiting() > 0) await new Promise((resolve) => setTimeout(resolve, 50));

    const store = await GcsStore.open("gs://landing", gcs.endpoint);
    const objects: string[] = [];
    const telling: string[] = [];
    for await (const { name } of store.listAll()) {
      objects.push(name);
      const bytes = await store.read(name);
      if ([...Object.values(PLANTED), "1.2.826.0.1.3680043.9."].some((text) => bytes.includes(text)))
        telling.push(name);
    }
    const listing = await fetch(`${gcs.endpoint}/storage/v1/b/landing/o?versions=true&maxResults=10000`);
    const { items = [] } = (await listing.json()) as { items?: unknown[] };
    const refused = readdirSync(join(spool, "spool", "refused")).length;
    return { objects, versions: items.length, telling, refused, killed, cut };
  } finally {
    await stopProcess(gateway);
    await proxy.stop();
    await gcs.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
