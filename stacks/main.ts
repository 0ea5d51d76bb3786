import { synth } from "./command";

process.exitCode = synth(process.argv.slice(2));
