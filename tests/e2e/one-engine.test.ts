import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScoreService } from "../../runtime/score/service";
import { drive } from "../support/drive-scoring";
import { expectEqual, FIVE_WAYS_TIMEOUT, fiveWays } from "../support/five-ways";

let root: string;
beforeAll(() => {
  process.env.LOG_LEVEL = "fatal";
  root = mkdtempSync(join(tmpdir(), "one-engine-"));
});
afterAll(() => rmSync(root, { recursive: true }));

// `SCANS=300` for the long run; with Spark itself: tests/spark/one-engine.test.ts.
it(
  "evaluate, explain, score, serve and replay give a scan the same probability",
  async () => {
    const found = await fiveWays(root, async (workspace) => {
      const service = new ScoreService(workspace);
      await drive(service);
      await service.close();
    });
    expectEqual(found);
  },
  FIVE_WAYS_TIMEOUT,
);
