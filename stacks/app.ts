import { mkdirSync } from "node:fs";
import { Annotations, App } from "../constructs/core/cdktf";
import { type ImageLock, readImageLock } from "../constructs/core/container-image";
import { type HospitalLine, parseHospitals } from "./config";
import { HospitalAppStack } from "./hospital-app-stack";
import { HospitalDataStack } from "./hospital-data-stack";

export interface AppOptions {
  /**
   * Where the stacks are written.
   * @default CDKTF_OUTDIR, otherwise cdktf.out
   */
  readonly outdir?: string | undefined;
  /**
   * The container images that were pushed.
   * @default what images.lock.json says
   */
  readonly images?: ImageLock | undefined;
  /** What the lines are called in an error. */
  readonly subject?: string | undefined;
  /**
   * Synthesize what the policy would refuse, for tools that list what it finds.
   * @default false
   */
  readonly skipValidation?: boolean | undefined;
}

/**
 * Which stacks there are: two for every hospital, and nothing between hospitals.
 * @throws {ConfigurationError} listing every problem of every line; no construct exists then.
 */
export function buildApp(lines: readonly HospitalLine[], options: AppOptions = {}): App {
  const hospitals = parseHospitals(lines, options.subject);
  const outdir = options.outdir ?? process.env.CDKTF_OUTDIR ?? "cdktf.out";
  mkdirSync(outdir, { recursive: true });
  const app = new App({ outdir, stackTraces: false, skipValidation: options.skipValidation ?? false });
  const images = options.images ?? readImageLock();
  const projects = new Map<string, string>();
  for (const hospital of hospitals) {
    const data = new HospitalDataStack(app, hospital);
    const { project, projectNumber } = hospital;
    const other = projects.get(projectNumber) ?? project;
    if (other !== project)
      Annotations.of(data).addWarning(
        `Projects "${other}" and "${project}" have the number ${projectNumber}, and no two projects do: with a wrong number, another project's service agents get the key of hospital "${hospital.name}". Correct "projectNumber" before you deploy.`,
      );
    projects.set(projectNumber, project);
    new HospitalAppStack(app, hospital, images).addDependency(data);
  }
  return app;
}
