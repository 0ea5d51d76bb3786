import { buildApp } from "../stacks/app";
import { readStacks } from "../tools/synthesized";
import { resourceAddresses } from "../tools/terraform";
import { EXAMPLE_IMAGES, EXAMPLE_PLATFORM } from "../tools/tiers";
import { hospitalsOf } from "./hospitals";
import type { SynthMeasurement } from "./synth";

/** One synth, in a process of its own: node synth-once.js HOSPITALS FOLDER prints a measurement as JSON. */
const [count = "1", outdir = ""] = process.argv.slice(2);
const hospitals = Number(count);
buildApp(hospitalsOf(hospitals), { outdir, platform: EXAMPLE_PLATFORM, images: EXAMPLE_IMAGES, variables: {} }).synth();
const seconds = performance.now() / 1000;
const { user, system } = process.cpuUsage();
const peakMiB = process.resourceUsage().maxRSS / 1024;
const stacks = readStacks(outdir);
const resources = stacks.reduce((sum, { json }) => sum + resourceAddresses(json).length, 0);
const measurement: SynthMeasurement = {
  hospitals,
  stacks: stacks.length,
  resources,
  seconds,
  processorSeconds: (user + system) / 1e6,
  peakMiB,
};
process.stdout.write(JSON.stringify(measurement));
