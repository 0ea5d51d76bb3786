import { parseEnv } from "../platform/config";
import { reportJobFailure, runJob } from "../platform/job";
import { openStores, openTables } from "../platform/open-stores";
import { silentProgress } from "../platform/progress";
import { auditContract, SEALED } from "./contract";
import { logIn, openPlace } from "./places";
import { seal } from "./seal";
import { openSigner } from "./signer";

/**
 * Seals the rows of a hospital's tables once: the scheduled job. Ends with 1 where rows were left out, or the log here is not
 * what the archive knows.
 */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const settings = parseEnv<(typeof auditContract)["env"]>(auditContract.env, env);
  return runJob(auditContract.name, async ({ log, signal }) => {
    const { reports } = await openStores(auditContract, settings);
    const warehouse = await openTables(auditContract, settings);
    try {
      const { late, unreadable, ...sealed } = await seal({
        warehouse,
        log: logIn(reports),
        archive: await openPlace(settings.AUDIT_ARCHIVE),
        signer: await openSigner(settings.AUDIT_KEY),
        waitMs: settings.WAIT_SECONDS * 1000,
        progress: silentProgress,
        signal,
      });
      if (late.length + unreadable.length > 0) {
        log.error(
          { late: late.length, unreadable: unreadable.length },
          `Rows were left out: ${late.length} batches say a time before the last seal, ${unreadable.length} cannot be read. npm run audit -- verify names them.`,
        );
        process.exitCode = 1;
      }
      if (sealed.busyUntil === null) log.info(sealed, SEALED);
      else log.info(sealed, "another seal is at work: nothing was done");
    } finally {
      await warehouse.close();
    }
  });
}

if (require.main === module) main().catch(reportJobFailure);
