import { isRecord, type Json, merged } from "../json";
import { ApiProblem, alreadyExists, invalid, notFound, unknownToTheEcho } from "../problem";
import { NOW } from "../resources";
import type { ApiRequest, Service, World } from "../service";
import { COLLECTIONS, type Complete, linkTo, pathOf } from "./compute-fields";

/** Fields by which one resource names another. */
const REFERENCES = new Set([
  "network",
  "subnetwork",
  "group",
  "urlMap",
  "target",
  "sslCertificates",
  "sslPolicy",
  "defaultService",
  "securityPolicy",
  "nextHopGateway",
]);

/** What needs no making. */
const GIVEN = /\/(?:gateways|machineTypes|acceleratorTypes|diskTypes|images|zones|regions)\//;

/** https://cloud.google.com/compute/docs/reference/rest/v1 */
export const compute: Service = {
  name: "compute",
  endpoints: { COMPUTE: "v1" },
  handle(request, world) {
    const { method, path } = request;
    const scope = /^(projects\/[^/]+\/(?:global|regions\/[^/]+|zones\/[^/]+))\/(.+)$/.exec(legacy(path));
    if (!scope) {
      const [, project] = /^projects\/([^/]+)$/.exec(path) ?? [];
      if (method === "GET" && project !== undefined) return { kind: "compute#project", name: project };
      throw unknownToTheEcho(`${method} compute ${path}`);
    }
    const [, place = "", rest = ""] = scope;
    const [collection = "", id, act] = rest.split("/");
    if (collection === "operations") return operation(place, `${place}/operations/${id}`, world);
    const complete = COLLECTIONS[collection];
    if (!complete) throw unknownToTheEcho(`${method} compute ${path}`);

    if (id === undefined && method === "GET") return list(world, place, collection, request.query);
    if (id === undefined && method === "POST") {
      const name = `${place}/${collection}/${String(request.body.name)}`;
      if (!/^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(String(request.body.name)))
        throw invalid(`Invalid value for field 'resource.name': '${request.body.name}'.`);
      if (world.store.find(`compute/${name}`)) throw alreadyExists(`The resource '${name}'`);
      save(name, request.body, world, complete);
      return operation(place, name, world);
    }
    const name = nameOf(`${place}/${collection}`, id ?? "", world);
    const stored = world.store.get(`compute/${name}`);
    if (act !== undefined && method === "POST") {
      save(name, changedBy(act, stored, request), world, complete);
      return operation(place, name, world);
    }
    if (act === "getRule") return ruleOf(stored, request.query);
    if (method === "GET") return stored;
    if (method === "PATCH" || method === "PUT") {
      const { fingerprint: known } = request.body;
      if (known !== undefined && known !== stored.fingerprint)
        throw new ApiProblem(412, "FAILED_PRECONDITION", "Supplied fingerprint does not match current fingerprint.");
      const kept = { kind: stored.kind, id: stored.id, creationTimestamp: stored.creationTimestamp };
      save(name, method === "PUT" ? { ...request.body, ...kept } : merged(stored, request.body), world, complete);
      return operation(place, name, world);
    }
    if (method === "DELETE") {
      remove(name, world);
      return operation(place, name, world);
    }
    throw unknownToTheEcho(`${method} compute ${path}`);
  },
};

/** A resource may be asked for by its number too. */
function nameOf(collection: string, id: string, world: World): string {
  const numbered = /^\d+$/.test(id) && world.store.below(`compute/${collection}`).find(([, item]) => item.id === id);
  return numbered ? numbered[0].replace(/^compute\//, "") : `${collection}/${id}`;
}

/** Some methods stand without `global`: `projects/p/targetHttpProxies/x/setUrlMap`. */
const legacy = (path: string) => path.replace(/^(projects\/[^/]+)\/(target\w+Proxies\/)/, "$1/global/$2");

function save(name: string, written: Json, world: World, complete: Complete): void {
  const linked = withLinks(written, world) as Json;
  const [, , scope, region] = name.split("/");
  const before = world.store.find(`compute/${name}`);
  const id = before?.id ?? String(7_000_000_000_000_000_000n + BigInt(world.store.next()));
  const known = { ...linked, id, selfLink: linkTo(name), creationTimestamp: before?.creationTimestamp ?? NOW };
  const place = scope === "regions" ? { region: linkTo(name.split("/").slice(0, 4).join("/")) } : {};
  const kind = `compute#${name.split("/").at(-2)?.replace(/ies$/, "y").replace(/s$/, "")}`;
  if (scope === "regions" && region === undefined) throw invalid(`${name} has no region.`);
  world.store.put(`compute/${name}`, complete({ kind, ...known, ...place }, { name, world }));
}

function remove(name: string, world: World): void {
  const link = linkTo(name);
  for (const other of world.store.names()) {
    if (!other.startsWith("compute/") || other === `compute/${name}`) continue;
    if (other.includes("/routes/default-route-")) continue;
    if (mentions(world.store.get(other), link))
      throw new ApiProblem(
        400,
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
        `The ${name} resource is already being used by '${other}'`,
      );
  }
  world.store.delete(`compute/${name}`);
  world.policies.forget(`compute/${name}`);
  // With a network goes the route that came with it.
  for (const [route, { network }] of world.store.below(
    `compute/${name.split("/").slice(0, 2).join("/")}/global/routes`,
  ))
    if (network === link) world.store.delete(route);
}

const mentions = (value: unknown, link: string): boolean =>
  value === link ||
  (typeof value === "object" && value !== null && Object.values(value).some((item) => mentions(item, link)));

function list(world: World, place: string, collection: string, query: URLSearchParams): Json {
  const all = world.store.below(`compute/${place}/${collection}`).map(([, item]) => item);
  const filters = [...(query.get("filter") ?? "").matchAll(/\(?(\w+)\s*(?:=|eq)\s*"?([^")]+)"?\)?/g)];
  const items = all.filter((item) =>
    filters.every(([, field = "", value = ""]) => pathOf(item[field]) === pathOf(value)),
  );
  return { kind: `compute#${collection}List`, ...(items.length > 0 ? { items } : {}) };
}

/** `setLabels`, `setUrlMap` and their like. */
function changedBy(act: string, stored: Json, { body, query }: ApiRequest): Json {
  const rules = (stored.rules as Json[] | undefined) ?? [];
  const others = rules.filter(({ priority }) => String(priority) !== (query.get("priority") ?? String(body.priority)));
  switch (act) {
    case "setLabels":
      if (body.labelFingerprint !== stored.labelFingerprint)
        throw new ApiProblem(
          412,
          "FAILED_PRECONDITION",
          "Labels fingerprint either invalid or resource labels have changed",
        );
      return { ...stored, labels: body.labels ?? {} };
    case "setSecurityPolicy":
      return { ...stored, securityPolicy: body.securityPolicy };
    case "addRule":
    case "patchRule":
      return { ...stored, rules: [...others, body] };
    case "removeRule":
      return { ...stored, rules: others };
    case "expandIpCidrRange":
    case "setPrivateIpGoogleAccess":
    case "setUrlMap":
    case "setTarget":
    case "setSslCertificates":
    case "setSslPolicy":
    case "setQuicOverride":
      return merged(stored, body);
    default:
      throw unknownToTheEcho(`compute ${act}`);
  }
}

const ruleOf = (stored: Json, query: URLSearchParams): Json =>
  ((stored.rules as Json[] | undefined) ?? []).find(({ priority }) => String(priority) === query.get("priority")) ?? {};

const operation = (place: string, target: string, { store }: World): Json => ({
  kind: "compute#operation",
  id: "1",
  targetId: store.find(`compute/${target}`)?.id,
  name: "operation-done",
  status: "DONE",
  progress: 100,
  targetLink: linkTo(target),
  selfLink: linkTo(`${place}/operations/operation-done`),
});

/** Whatever names another resource in part, or by the echo's address, comes back in full; what it names has to be there. */
function withLinks(value: unknown, world: World, field = ""): unknown {
  // The provider writes a null into a list of no affinities.
  if (Array.isArray(value)) return value.filter((item) => item !== null).map((item) => withLinks(item, world, field));
  if (isRecord(value)) {
    // A subnet of a NAT is its name.
    const nat = "sourceIpRangesToNat" in value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        withLinks(item, world, nat && name === "name" ? "subnetwork" : name),
      ]),
    );
  }
  if (typeof value !== "string" || !REFERENCES.has(field) || value === "") return value;
  const path = pathOf(value);
  if (!path.startsWith("projects/")) return value;
  if (!GIVEN.test(path) && !world.store.find(`compute/${path}`)) throw notFound(`The resource '${path}'`);
  return linkTo(path);
}
