import { parseEnv } from "./config";
import type { RuntimeContract } from "./contract";
import { type Answer, type Frame, serveFrames } from "./framed";
import { type JobTools, runJob } from "./job";
import { openStores, openTables, type StoresOf } from "./open-stores";
import type { Warehouse } from "./warehouse";

/** What answers the requests of a Spark driver and of its tasks. */
export interface FrameService {
  handle(request: Frame): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * The process that a Spark driver starts beside itself and beside each Python worker: answers the frames of its standard
 * input until that ends. What it logs goes to standard error.
 *
 * @throws {ConfigurationError} if the environment is not that of the contract
 */
export async function runFrameService<C extends RuntimeContract>(
  contract: C,
  env: NodeJS.ProcessEnv,
  make: (given: JobTools & { readonly stores: StoresOf<C>; readonly warehouse: Warehouse }) => FrameService,
): Promise<void> {
  const settings = parseEnv<C["env"]>(contract.env, env);
  await runJob(contract.name, async (tools) => {
    const stores = await openStores(contract, settings);
    // What runs on Spark plans from the tables: each such contract has some.
    const warehouse = await openTables(contract, settings as Parameters<typeof openTables>[1]);
    const service = make({ ...tools, stores, warehouse });
    try {
      await serveFrames(process.stdin, process.stdout, (request) => service.handle(request));
    } finally {
      await service.close();
      await warehouse.close();
    }
  });
}
