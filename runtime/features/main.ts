import { parseEnv } from "../platform/config";
import { reportJobFailure } from "../platform/job";
import { featuresContract } from "./contract";

export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  parseEnv(featuresContract.env, env);
}

if (require.main === module) main().catch(reportJobFailure);
