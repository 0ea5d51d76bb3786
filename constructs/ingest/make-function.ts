import type { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { Cloudfunctions2Function } from "@cdktf/provider-google/lib/cloudfunctions2-function";
import type { Construct } from "constructs";
import type { RuntimeContract } from "../../runtime/platform/contract";
import { type Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import type { Outlet } from "../network";
import type { EncryptionKey } from "../security";

/** https://cloud.google.com/functions/docs/runtime-support#node.js */
export type FunctionRuntime = "nodejs22";
/** https://cloud.google.com/functions/docs/networking/network-settings#ingress_settings */
export type FunctionIngress = "ALLOW_INTERNAL_ONLY" | "ALLOW_INTERNAL_AND_GCLB";

/** https://cloud.google.com/functions/docs/networking/network-settings#route-egress-to-vpc */
export type FunctionEgress = "ALL_TRAFFIC";

/** A version of a secret of the hospital's project. */
export interface SecretRef {
  readonly secret: string;
  readonly version: string;
}

export interface FunctionParts {
  readonly hospital: HospitalRef;
  readonly contract: RuntimeContract;
  /** What it does, for whoever reads the console. */
  readonly description: string;
  readonly environment: Readonly<Record<string, string>>;
  /** By variable. @default none */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
  /** @default none */
  readonly outlet?: Outlet;
  readonly identity: Identity;
  readonly key: EncryptionKey;
  /** Where its code lies. */
  readonly code: { readonly bucket: string; readonly object: string };
  readonly builder: Identity;
  readonly repository: ArtifactRegistryRepository;
  readonly maxInstances: number;
}

/** A function of a contract, closed to the internet: one request an instance at a time. */
export function makeFunction(scope: Construct, parts: FunctionParts): Cloudfunctions2Function {
  const { hospital, contract, builder, identity } = parts;
  const { memoryGiB, cpu, timeoutSeconds } = contract.resources;
  const { outlet } = parts;
  const secrets = Object.entries(parts.secrets ?? {}).map(([key, one]) => ({
    key,
    projectId: hospital.project,
    ...one,
  }));
  checkResources(contract);
  const made = new Cloudfunctions2Function(scope, "function", {
    project: hospital.project,
    location: hospital.region,
    name: resourceName(hospital, contract.name),
    description: parts.description,
    kmsKeyName: parts.key.id,
    labels: dataClass("phi"),
    buildConfig: {
      runtime: "nodejs22" satisfies FunctionRuntime,
      entryPoint: contract.target,
      serviceAccount: builder.account.id,
      dockerRepository: parts.repository.id,
      source: { storageSource: { ...parts.code } },
    },
    serviceConfig: {
      serviceAccountEmail: identity.email,
      ingressSettings: "ALLOW_INTERNAL_ONLY" satisfies FunctionIngress,
      allTrafficOnLatestRevision: true,
      availableMemory: `${memoryGiB}Gi`,
      availableCpu: String(cpu),
      timeoutSeconds,
      minInstanceCount: 0,
      maxInstanceCount: parts.maxInstances,
      // Decoding holds whole images in memory: one at a time, so that the limit on one is the limit on the process.
      maxInstanceRequestConcurrency: 1,
      environmentVariables: { ...parts.environment },
      ...(secrets.length > 0 ? { secretEnvironmentVariables: secrets } : {}),
      ...(outlet
        ? { vpcConnector: outlet.connector.id, vpcConnectorEgressSettings: "ALL_TRAFFIC" satisfies FunctionEgress }
        : {}),
    },
    ...(outlet ? { dependsOn: [...outlet.ready] } : {}),
  });
  runsAs(made, builder, identity);
  return made;
}

/** Smallest number of vCPUs for a limit of memory. https://cloud.google.com/run/docs/configuring/services/memory-limits */
const CPU_FOR_MEMORY = [
  { aboveGiB: 24, cpu: 8 },
  { aboveGiB: 16, cpu: 6 },
  { aboveGiB: 8, cpu: 4 },
  { aboveGiB: 4, cpu: 2 },
] as const;

function checkResources({ name, resources }: RuntimeContract): void {
  const needed = CPU_FOR_MEMORY.find(({ aboveGiB }) => resources.memoryGiB > aboveGiB);
  if (needed && resources.cpu < needed.cpu)
    throw new Error(
      `The contract of ${name} asks for ${resources.memoryGiB} GiB and ${resources.cpu} CPU: over ${needed.aboveGiB} GiB needs ${needed.cpu} CPUs.`,
    );
}
