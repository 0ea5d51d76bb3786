import { ComputeBackendService } from "@cdktf/provider-google/lib/compute-backend-service";
import { ComputeGlobalAddress } from "@cdktf/provider-google/lib/compute-global-address";
import { ComputeGlobalForwardingRule } from "@cdktf/provider-google/lib/compute-global-forwarding-rule";
import { ComputeManagedSslCertificate } from "@cdktf/provider-google/lib/compute-managed-ssl-certificate";
import { ComputeRegionNetworkEndpointGroup } from "@cdktf/provider-google/lib/compute-region-network-endpoint-group";
import { ComputeSslPolicy } from "@cdktf/provider-google/lib/compute-ssl-policy";
import { ComputeTargetHttpProxy } from "@cdktf/provider-google/lib/compute-target-http-proxy";
import { ComputeTargetHttpsProxy } from "@cdktf/provider-google/lib/compute-target-https-proxy";
import { ComputeUrlMap } from "@cdktf/provider-google/lib/compute-url-map";
import { Construct } from "constructs";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName, shortHash } from "../core/naming";
import { acknowledge } from "../policy";
import { SecurityPolicy } from "./security-policy";

export interface LoadBalancerProps {
  readonly hospital: HospitalRef;
  /**
   * The Cloud Run service's name, and not the service: that is told the backend's id, by which the proxy's tokens are for
   * it.
   */
  readonly service: string;
  /** Host name, whose address record is to be {@link LoadBalancer.address}. */
  readonly domain: string;
  /**
   * CIDR ranges that may send requests at all, at most ten.
   * @default every address; people sign in all the same
   */
  readonly allowedRanges?: readonly string[] | undefined;
  /**
   * Requests a minute from one address; a hospital often has one for all its people.
   * @default 600
   */
  readonly requestsPerMinute?: number;
}

/** https://cloud.google.com/load-balancing/docs/backend-service */
export type LoadBalancingScheme = "EXTERNAL_MANAGED" | "EXTERNAL";
const SCHEME: LoadBalancingScheme = "EXTERNAL_MANAGED";

/** HTTPS from outside: Cloud Armor, then Identity-Aware Proxy, then the service. HTTP is sent to HTTPS. */
export class LoadBalancer extends Construct {
  readonly address: ComputeGlobalAddress;
  readonly backend: ComputeBackendService;

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    const { hospital, service, domain } = props;
    const { project } = hospital;
    const name = resourceName(hospital, "serve");

    const group = new ComputeRegionNetworkEndpointGroup(this, "group", {
      project,
      region: hospital.region,
      name,
      networkEndpointType: "SERVERLESS",
      cloudRun: { service },
    });
    const policy = new SecurityPolicy(this, "armor", {
      hospital,
      allowedRanges: props.allowedRanges,
      requestsPerMinute: props.requestsPerMinute ?? 600,
    });
    this.backend = new ComputeBackendService(this, "backend", {
      project,
      name,
      description: `The page of ${hospital.name}, behind Identity-Aware Proxy`,
      loadBalancingScheme: SCHEME,
      protocol: "HTTPS",
      backend: [{ group: group.id, balancingMode: "UTILIZATION", capacityScaler: 1 }],
      connectionDrainingTimeoutSec: 300,
      enableCdn: false,
      iap: { enabled: true },
      securityPolicy: policy.resource.id,
      logConfig: { enable: true, sampleRate: 1 },
    });

    this.address = new ComputeGlobalAddress(this, "address", {
      project,
      name,
      addressType: "EXTERNAL",
      ipVersion: "IPV4",
      labels: dataClass("code"),
    });
    const certificate = new ComputeManagedSslCertificate(this, "certificate", {
      project,
      // A certificate cannot be changed: that of another domain has another name.
      name: `${name}-${shortHash(domain)}`,
      type: "MANAGED",
      managed: { domains: [domain] },
      lifecycle: { createBeforeDestroy: true },
    });
    const tls = new ComputeSslPolicy(this, "tls", { project, name, profile: "RESTRICTED", minTlsVersion: "TLS_1_2" });

    const routes = new ComputeUrlMap(this, "routes", { project, name, defaultService: this.backend.id });
    const https = new ComputeTargetHttpsProxy(this, "https", {
      project,
      name,
      urlMap: routes.id,
      sslCertificates: [certificate.id],
      sslPolicy: tls.id,
      quicOverride: "NONE",
    });
    this.forward("forward-https", { name, target: https.id, port: "443", hospital });

    const redirect = new ComputeUrlMap(this, "redirect", {
      project,
      name: `${name}-http`,
      defaultUrlRedirect: {
        httpsRedirect: true,
        redirectResponseCode: "MOVED_PERMANENTLY_DEFAULT",
        stripQuery: false,
      },
    });
    const http = new ComputeTargetHttpProxy(this, "http", { project, name: `${name}-http`, urlMap: redirect.id });
    acknowledge(
      http,
      "load-balancer-tls",
      "It has no backend: every request is sent on to the same address over HTTPS.",
    );
    this.forward("forward-http", { name: `${name}-http`, target: http.id, port: "80", hospital });
  }

  private forward(
    id: string,
    props: { readonly hospital: HospitalRef; readonly name: string; readonly target: string; readonly port: string },
  ): void {
    new ComputeGlobalForwardingRule(this, id, {
      project: props.hospital.project,
      name: props.name,
      loadBalancingScheme: SCHEME,
      ipAddress: this.address.id,
      ipProtocol: "TCP",
      portRange: props.port,
      target: props.target,
      labels: dataClass("code"),
    });
  }
}
