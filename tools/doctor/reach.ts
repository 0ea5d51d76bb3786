import { serviceUrl } from "../../constructs/core/naming";
import { asRecord } from "../../stacks/sentences";
import { askFor, type Check, deploy, failed, ok, type Subject, skipped } from "./checkup";

/** How what is asked over the network answers; tests put their own in its place. */
export interface Network {
  /** IPv4 addresses of a name; empty where there are none. */
  resolve(domain: string): Promise<readonly string[]>;
  readonly fetch: typeof fetch;
}

const LIMIT_MS = 20_000;

/** The address record of the domain points at the load balancer. */
export const dns =
  ({ resolve }: Pick<Network, "resolve">): Check =>
  async ({ hospital, declared, dry, run }) => {
    const domain = hospital.serve.publicAccess?.domain;
    if (domain === undefined) return [skipped("dns", "The line has no serve.domain: nothing is reached from outside.")];
    if (dry) return [skipped("dns", `${domain} gets its address by the first deploy of the app stack.`)];
    const [address] = declared.ofType("google_compute_global_address");
    if (!address) return [skipped("dns", "There is no load balancer before there is an image of serve.")];
    const here = ["--global", `--project=${hospital.project}`];
    const found = askFor<{ address?: string }>(run, [
      "gcloud",
      "compute",
      "addresses",
      "describe",
      String(address.name),
      ...here,
    ]);
    if (!found?.address) return [failed("dns", `There is no address ${address.name}.`, deploy(hospital, "app"))];
    const pointed = await resolve(domain);
    const set = `Set the A record of ${domain} to ${found.address}, and no other.`;
    if (pointed.length === 0) return [failed("dns", `${domain} has no address record.`, set)];
    // A second address takes a share of the requests, and keeps the certificate from being issued.
    if (pointed.some((ip) => ip !== found.address)) return [failed("dns", `${domain} is ${pointed.join(", ")}.`, set)];
    return [ok("dns", `${domain} is ${found.address}.`)];
  };

interface Certificate {
  readonly managed?: { readonly status?: string; readonly domainStatus?: Readonly<Record<string, string>> };
}

export const certificate: Check = ({ hospital, declared, dry, run }) => {
  const [own] = declared.ofType("google_compute_managed_ssl_certificate");
  if (!own) return [];
  if (dry) return [skipped("certificate", "The app stack makes it.")];
  const here = ["--global", `--project=${hospital.project}`];
  const found = askFor<Certificate>(run, [
    "gcloud",
    "compute",
    "ssl-certificates",
    "describe",
    String(own.name),
    ...here,
  ]);
  if (!found) return [failed("certificate", `There is no ${own.name}.`, deploy(hospital, "app"))];
  const { status, domainStatus } = found.managed ?? {};
  if (status === "ACTIVE") return [ok("certificate", "It is active.")];
  const domains = Object.entries(domainStatus ?? {}).map(([domain, state]) => `${domain}: ${state}`);
  return [
    failed(
      "certificate",
      `It is ${[status, ...domains].join(", ")}.`,
      "It takes up to an hour after the address record is right; FAILED_NOT_VISIBLE means that it is not.",
    ),
  ];
};

/** The page asks who one is: certificate, load balancer and Identity-Aware Proxy, from outside. */
export const page =
  (network: Pick<Network, "fetch">): Check =>
  async ({ hospital, declared, dry }) => {
    const domain = hospital.serve.publicAccess?.domain;
    if (domain === undefined || dry || declared.ofType("google_compute_backend_service").length === 0) return [];
    try {
      const response = await network.fetch(`https://${domain}/`, {
        redirect: "manual",
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const asks =
        response.headers.get("x-goog-iap-generated-response") === "true" ||
        /^https:\/\/accounts\.google\.com\//.test(response.headers.get("location") ?? "");
      return [
        asks
          ? ok("page", `https://${domain}/ asks who one is.`)
          : failed(
              "page",
              `https://${domain}/ answers ${response.status} without asking who one is.`,
              "Identity-Aware Proxy has to be on for the backend service, and the allowed ranges have to contain this machine (403).",
            ),
      ];
    } catch (error) {
      return [
        failed("page", `https://${domain}/ does not answer: ${reason(error)}.`, "Correct dns and certificate first."),
      ];
    }
  };

/** The service that is asked for a prediction, and who asks. */
export interface Service {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Where the service is asked: it answers inside the project, or behind Identity-Aware Proxy, so that whoever runs this
 * from there says where it is.
 * @param url http(s)://HOST; over https the caller's own identity token goes along: a service account's, for
 * Cloud Run and for the service, or a person's, which only Cloud Run takes
 */
export function serviceAt(url: string, { run, hospital }: Pick<Subject, "run" | "hospital">): Service {
  const base = url.replace(/\/+$/, "");
  const headers: Record<string, string> = {};
  if (base.startsWith("https://"))
    // Cloud Run takes the signature out of a token that it has checked in Authorization, and leaves the other one alone.
    headers.authorization = headers["x-serverless-authorization"] = `Bearer ${identityToken(run, hospital)}`;
  return { url: base, headers };
}

function identityToken(run: Subject["run"], hospital: Subject["hospital"]): string {
  const command = ["gcloud", "auth", "print-identity-token"] as const;
  try {
    return run([...command, `--audiences=${serviceUrl(hospital, "serve")}`]).trim();
  } catch {
    // A person's own credentials give no token for an audience.
    return run(command).trim();
  }
}

/** The service has a model that is loaded, verified and warm. */
export const ready =
  (network: Pick<Network, "fetch">, url: string | undefined): Check =>
  async (subject) => {
    if (subject.dry) return [];
    if (url === undefined)
      return [
        skipped(
          "ready",
          "The service answers inside the project only, or behind Identity-Aware Proxy.",
          "On a machine in the project's network: --url with the output serve_uri of the app stack.",
        ),
      ];
    const service = serviceAt(url, subject);
    try {
      const response = await network.fetch(`${service.url}/readyz`, {
        headers: service.headers,
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const body = (await response.text()).slice(0, 300);
      return [
        response.ok
          ? ok("ready", `${service.url}/readyz says yes.`)
          : failed(
              "ready",
              `${service.url}/readyz answers ${response.status}: ${body}`,
              "no-model: train, or promote one. Otherwise the service's log says why.",
            ),
      ];
    } catch (error) {
      return [
        failed(
          "ready",
          `${service.url} does not answer: ${reason(error)}.`,
          "Ask from inside the project's network, or look at the service's log.",
        ),
      ];
    }
  };

/** What fetch hides behind "fetch failed". */
export function reason(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = asRecord(cause);
  return [message, inner.code ?? inner.message].filter(Boolean).join(": ");
}
