import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { answering, freePort, stopProcess } from "./processes";

const BINARY = join(__dirname, "..", "..", ".parts", "bin", "fake-gcs-server");

/** A Google Cloud Storage server of its own process, in memory, on a free port of the loopback interface. */
export interface GcsServer {
  /** Root URL, for `GCS_API_ENDPOINT`. */
  readonly endpoint: string;
  createBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startGcsServer(): Promise<GcsServer> {
  if (!existsSync(BINARY)) throw new Error("The storage server is not installed: run npm run setup:tests.");
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const options = {
    scheme: "http",
    host: "127.0.0.1",
    port: String(port),
    backend: "memory",
    "public-host": `127.0.0.1:${port}`,
    "external-url": endpoint,
    "log-level": "error",
  };
  const child = spawn(
    BINARY,
    Object.entries(options).flatMap(([key, value]) => [`-${key}`, value]),
    { stdio: "ignore" },
  );
  await answering(`${endpoint}/storage/v1/b?project=local`, child);
  return {
    endpoint,
    async createBucket(name) {
      const response = await fetch(`${endpoint}/storage/v1/b?project=local`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name, versioning: { enabled: true } }),
      });
      if (!response.ok) throw new Error(`Bucket ${name}: ${response.status} ${await response.text()}`);
    },
    stop: () => stopProcess(child),
  };
}
