import { CloudRunV2Service } from "@cdktf/provider-google/lib/cloud-run-v2-service";
import { Construct } from "constructs";
import type { Bindings } from "../../runtime/platform/contract";
import { type CallerRole, type IdentityVariable, serveContract } from "../../runtime/serve/contract";
import { bindEnvironment } from "../core/binding";
import { Lazy } from "../core/cdktf";
import type { ContainerImage } from "../core/container-image";
import type { GrantableTables } from "../core/declared-access";
import { Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName, serviceUrl } from "../core/naming";
import type { KeyRefs } from "../security";
import type { BucketRefs } from "../storage";
import { authRoles, everybodyIn, type NamedCallers } from "./callers";
import { LoadBalancer, type LoadBalancerProps } from "./load-balancer";
import { type ServeObjectives, serveMonitoring } from "./monitoring";
import { grantInvoke, grantProxy, grantServe, grantThroughProxy, idOf } from "./permissions";
import { Release } from "./release";

/** https://cloud.google.com/run/docs/securing/ingress */
export type ServiceIngress = "INGRESS_TRAFFIC_INTERNAL_ONLY" | "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER";
/** https://cloud.google.com/run/docs/about-execution-environments */
export type ExecutionEnvironment = "EXECUTION_ENVIRONMENT_GEN1" | "EXECUTION_ENVIRONMENT_GEN2";

/** How people reach the page from outside. */
export type PublicAccess = Pick<LoadBalancerProps, "domain" | "allowedRanges" | "requestsPerMinute">;

export interface ServeProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  readonly image: ContainerImage;
  /**
   * The environment variables of `runtime/serve/contract.ts` that are no bucket's and no table's, without PORT, which Cloud Run sets, and
   * those that say who may ask, which follow from `callers` and `publicAccess`.
   */
  readonly bindings: Omit<Bindings<typeof serveContract>, IdentityVariable>;
  /**
   * Who may ask. A group may be named with `publicAccess` only.
   * @default nobody
   */
  readonly callers?: NamedCallers;
  /**
   * IAM members who may act as the identity that tries models out.
   * @default nobody: there is no such identity
   */
  readonly releasers?: readonly string[];
  /** The limit on what a flood of requests can cost. */
  readonly maxInstances: number;
  /**
   * Instances that wait for requests and are paid for all the time.
   * @default 0
   */
  readonly minInstances?: number;
  /**
   * A load balancer with a certificate, Cloud Armor and Identity-Aware Proxy.
   * @default none: the service is reached from the project's own networks only
   */
  readonly publicAccess?: PublicAccess | undefined;
  /**
   * Whether other environments live in the same project and somebody else owns the grants of its service agents.
   * @default false
   */
  readonly sharedProject?: boolean;
  /**
   * Whether the line's deployer still has to be let read the image, as Cloud Run asks of whoever deploys one.
   * @default true
   */
  readonly deployerPulls?: boolean;
  /**
   * What people may rely on.
   * @default nothing is promised
   */
  readonly objectives?: ServeObjectives;
}

/** Where Cloud Run sends requests; it tells the process by PORT. */
const PORT = serveContract.env.shape.PORT.parse(undefined);
/** Beside the predictions that QUEUE_LIMIT lets in: the page, pictures and health. */
const SMALL_REQUESTS = 16;
/** Cloud Run takes 32 MiB a request over HTTP/1, headers and form included; beyond it the answer is no problem document. */
const MOST_BODY_MIB = 31;
const NOBODY: NamedCallers = { viewer: [], clinician: [], admin: [] };
/** Cloud Run allows four minutes from the start of a container to its first success. */
const STARTUP = { periodSeconds: 10, failureThreshold: 24 };

/** The dashboard and its API. A revision takes requests once it has a model, and nobody may call it who was not named. */
export class Serve extends Construct {
  readonly identity: Identity;
  readonly service: CloudRunV2Service;
  readonly loadBalancer: LoadBalancer | undefined;
  /** Undefined where nobody may act as it. */
  readonly release: Release | undefined;
  readonly monitoring: MonitoringContribution;
  private callers: NamedCallers;

  constructor(scope: Construct, id: string, props: ServeProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, image, keys, publicAccess } = props;
    const { memoryGiB, cpu, timeoutSeconds } = serveContract.resources;
    const name = resourceName(hospital, serveContract.name);
    this.callers = props.callers ?? NOBODY;
    if (publicAccess)
      this.loadBalancer = new LoadBalancer(this, "load-balancer", { hospital, service: name, ...publicAccess });
    this.identity = new Identity(this, "identity", {
      hospital,
      role: serveContract.name,
      description: "Runs the prediction service",
    });
    const places = { buckets, warehouse };
    const { PORT: _PORT, ...environment } = bindEnvironment(serveContract, places, this.identity, {
      MAX_BODY_MIB: String(MOST_BODY_MIB),
      ...props.bindings,
      ...this.identityVariables(hospital),
    });
    grantServe(this.identity, {
      hospital,
      keys,
      places,
      image,
      sharedProject: props.sharedProject ?? false,
      deployerPulls: props.deployerPulls ?? true,
    });

    const ingress: ServiceIngress = publicAccess
      ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
      : "INGRESS_TRAFFIC_INTERNAL_ONLY";
    const probe = (path: string) => ({ httpGet: { path, port: PORT }, timeoutSeconds: 5, initialDelaySeconds: 0 });
    this.service = new CloudRunV2Service(this, "service", {
      project: hospital.project,
      location: hospital.region,
      name,
      description: `Predictions and dashboard of ${hospital.name}; not for diagnostic use`,
      ingress,
      launchStage: "GA",
      // It holds nothing: a destroy of the stack takes it.
      deletionProtection: false,
      labels: dataClass("phi"),
      template: {
        serviceAccount: this.identity.email,
        encryptionKey: keys.data.id,
        executionEnvironment: "EXECUTION_ENVIRONMENT_GEN2" satisfies ExecutionEnvironment,
        timeout: `${timeoutSeconds}s`,
        maxInstanceRequestConcurrency: queueLimit(environment) + SMALL_REQUESTS,
        scaling: { minInstanceCount: props.minInstances ?? 0, maxInstanceCount: props.maxInstances },
        containers: [
          {
            image: image.uri,
            ports: { name: "http1", containerPort: PORT },
            resources: {
              limits: { cpu: String(cpu), memory: `${memoryGiB}Gi` },
              cpuIdle: true,
              startupCpuBoost: true,
            },
            env: Object.entries(environment).map(([name, value]) => ({ name, value })),
            startupProbe: { ...probe(serveContract.health.startup), ...STARTUP },
            livenessProbe: { ...probe(serveContract.health.liveness), periodSeconds: 30, failureThreshold: 3 },
          },
        ],
      },
      traffic: [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }],
      // From then on a canary has its share until it is ended, whatever is deployed meanwhile: see release.ts.
      lifecycle: { ignoreChanges: ["traffic"] },
      dependsOn: [...keys.data.ready],
    });
    runsAs(this.service, this.identity);

    if (this.loadBalancer) grantProxy(this, hospital, this.service);
    for (const member of everybodyIn(this.callers)) this.admit(this, idOf(member), member);
    const { releasers = [] } = props;
    if (releasers.length > 0)
      this.release = new Release(this, "release", {
        ...{ hospital, image, places, releasers },
        service: this.service,
        runner: this.identity,
      });
    this.monitoring = serveMonitoring(hospital, publicAccess?.domain, props.objectives);
  }

  /** Lets another workload call the API. */
  grantInvoke(grantee: Identity, role: CallerRole): void {
    this.callers = { ...this.callers, [role]: [...this.callers[role], `serviceAccount:${grantee.email}`] };
    this.admit(grantee, "invoke-serve", grantee.member);
  }

  /** Lets a member reach the service; what it may do there, AUTH_ROLES says. */
  private admit(scope: Construct, id: string, member: string): void {
    if (this.loadBalancer) grantThroughProxy(scope, id, this.loadBalancer.backend, member);
    else grantInvoke(scope, id, this.service, member);
  }

  private identityVariables(hospital: HospitalRef) {
    const { loadBalancer } = this;
    return {
      AUTH: loadBalancer ? "iap" : "oidc",
      AUTH_AUDIENCE: loadBalancer
        ? `/projects/${hospital.projectNumber}/global/backendServices/${loadBalancer.backend.getStringAttribute("generated_id")}`
        : serviceUrl(hospital, serveContract.name),
      AUTH_ROLES: Lazy.stringValue({ produce: () => authRoles(this.callers) }),
    };
  }
}

function queueLimit({ QUEUE_LIMIT }: Readonly<Record<string, string>>): number {
  return serveContract.env.shape.QUEUE_LIMIT.parse(QUEUE_LIMIT);
}
