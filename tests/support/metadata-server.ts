import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a script sees of Compute Engine's metadata server, and what it told it. */
export interface MetadataServer {
  /** `127.0.0.1:PORT`, for GCE_METADATA_HOST. */
  readonly host: string;
  /** Guest attributes that were written. */
  readonly written: Map<string, string>;
  close(): Promise<void>;
}

const ROOT = "/computeMetadata/v1/instance/";

/** @param values by path below `instance/`, e.g. `attributes/job-image` */
export async function startMetadataServer(values: Readonly<Record<string, string>>): Promise<MetadataServer> {
  const written = new Map<string, string>();
  const server: Server = createServer((request, response) => {
    const path = String(request.url).slice(ROOT.length);
    const asked = request.headers["metadata-flavor"] === "Google" && String(request.url).startsWith(ROOT);
    if (asked && request.method === "PUT") {
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => {
        written.set(path, body);
        response.end();
      });
      return;
    }
    const value = values[path];
    response.statusCode = !asked ? 403 : value === undefined ? 404 : 200;
    response.end(response.statusCode === 200 ? value : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    written,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
