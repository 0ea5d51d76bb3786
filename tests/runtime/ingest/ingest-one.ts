import { commit, examine, IngestContext } from "../../../runtime/ingest";
import { openPseudonymiser } from "../../../runtime/intake/pseudonym";
import { createLogger } from "../../../runtime/platform/logging";
import type { Workspace } from "../../../runtime/platform/workspace";

type Options = ConstructorParameters<typeof IngestContext>[0];

/** Lands a file in a workspace, and ingests it. */
export async function ingestOne(
  { buckets: { landing, curated, quarantine }, warehouse }: Workspace,
  name: string,
  content: Buffer,
  options: Partial<Options> = {},
): Promise<void> {
  const context = new IngestContext({
    ...{ landing, curated, quarantine, warehouse },
    pseudonymiser: openPseudonymiser("local:test"),
    log: createLogger("test", { destination: { write: () => undefined } }),
    ...options,
  });
  const { generation } = await landing.write(name, content);
  await commit(context, await examine(context, { bucket: landing.bucket, name, generation }));
}
