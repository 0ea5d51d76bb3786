import { synth } from "./command";
import { hospitals } from "./hospitals";

process.exitCode = synth(process.argv.slice(2), hospitals);
