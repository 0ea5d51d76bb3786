import { isRecord, type Json, masked, merged, withoutDefaults } from "./json";
import { invalid, notFound, unknownToTheEcho } from "./problem";
import type { ApiRequest, Service, World } from "./service";

/** One kind of resource: `projects/x/topics/y`. */
export interface Kind {
  /** Its collection, with `*` for each name: `projects/*\/locations/*\/repositories`. */
  readonly collection: string;
  /** What a new one is called; by its `name` where this is not given. */
  readonly id?: (request: ApiRequest, world: World) => unknown;
  /** What is stored of a request to make one. */
  readonly body?: (request: ApiRequest) => Json;
  /** What Google adds to what was written: at creation (`before` undefined) and on every change. */
  readonly complete?: (resource: Json, context: Context) => Json;
  /** Throws where something forbids a deletion, or takes along what goes with it. */
  readonly deleting?: (resource: Json, context: Context) => void;
  /** A resource that is made by PUT to its name in place of POST to its collection. */
  readonly madeByPut?: boolean;
  /** Whose own existence it needs: a name in the store, made of its collection's. */
  readonly needs?: (collection: string) => string;
  readonly verbs?: Readonly<Record<string, (resource: Json, request: ApiRequest, context: Context) => Json>>;
}

export interface Context {
  /** Without the service: `projects/p/topics/t`. */
  readonly name: string;
  readonly id: string;
  readonly collection: string;
  readonly project: string;
  readonly world: World;
  readonly before: Json | undefined;
}

export interface ServiceOptions {
  readonly name: string;
  readonly endpoints: Readonly<Record<string, string>>;
  readonly kinds: readonly Kind[];
  /** What a change answers with, beside the resource. */
  readonly operation?: (name: string, response: Json) => Json;
  /** Fields with presence, see `withoutDefaults`. */
  readonly optional?: readonly string[];
  readonly maps?: readonly string[];
  /** Whether JSON keeps what was written as it is: services older than proto3. */
  readonly keepsDefaults?: boolean;
  /** Resources whose rights are kept though they are no resources of this service. */
  readonly policyOf?: (path: string, world: World) => boolean;
  /** The rest. */
  readonly other?: (request: ApiRequest, world: World) => Json | undefined;
}

/** A service whose resources are made, read, changed and deleted by their names. */
export function resourceService(options: ServiceOptions): Service {
  const { name: service, kinds } = options;
  const optional = new Set(options.optional ?? []);
  const maps = new Set(["labels", "userLabels", ...(options.maps ?? [])]);
  const show = (resource: Json) => (options.keepsDefaults ? resource : withoutDefaults(resource, optional, maps));
  const answer = (name: string, resource: Json) =>
    options.operation ? options.operation(name, show(resource)) : show(resource);
  const patterns = kinds.map((kind) => ({ kind, pattern: pattern(kind.collection) }));

  const create = (kind: Kind, collection: string, id: string, request: ApiRequest, world: World) => {
    const name = `${collection}/${id}`;
    if (kind.needs) world.store.get(kind.needs(collection));
    const written = kind.body?.(request) ?? request.body;
    const context = contextOf(name, world, undefined);
    const resource = kind.complete?.(structuredClone(written), context) ?? written;
    return answer(name, world.store.create(`${service}/${name}`, resource));
  };

  const change = (kind: Kind, name: string, request: ApiRequest, world: World) => {
    const before = world.store.get(`${service}/${name}`);
    const mask = (request.query.get("updateMask") ?? "").split(",").filter((path) => path !== "");
    const written = kind.body?.(request) ?? request.body;
    const after =
      request.method === "PUT" ? written : mask.length > 0 ? masked(before, written, mask) : merged(before, written);
    const resource = kind.complete?.(structuredClone(after), contextOf(name, world, before)) ?? after;
    return answer(name, world.store.put(`${service}/${name}`, resource));
  };

  return {
    name: service,
    endpoints: options.endpoints,
    handle(request, world) {
      const { method, path } = request;
      const other = options.other?.(request, world);
      if (other !== undefined) return other;

      const [, name = path, verb] = /^(.*?)(?::([a-zA-Z]+))?$/.exec(path) ?? [];
      if (verb === "getIamPolicy" || verb === "setIamPolicy") {
        if (world.store.find(`${service}/${name}`) === undefined && !options.policyOf?.(name, world))
          throw notFound(`${service}/${name}`);
        return policyAnswer(verb, `${service}/${name}`, request, world);
      }
      const collection = patterns.find(({ pattern }) => pattern.test(name));
      if (collection && verb === undefined) {
        if (method === "POST") {
          const { kind } = collection;
          const id = kind.id ? kind.id(request, world) : request.body.name;
          if (typeof id !== "string" || id === "") throw invalid(`A new resource of ${name} has no name.`);
          return create(kind, name, id, request, world);
        }
        if (method === "GET") {
          const items = world.store.below(`${service}/${name}`).map(([, resource]) => show(resource));
          const listed = name.slice(name.lastIndexOf("/") + 1);
          return items.length > 0 ? { [listed]: items, items } : {};
        }
      }
      const parent = name.slice(0, name.lastIndexOf("/"));
      const found = patterns.find(({ pattern }) => pattern.test(parent));
      if (found) {
        const { kind } = found;
        const stored = `${service}/${name}`;
        if (verb !== undefined) {
          const act = kind.verbs?.[verb];
          if (act) return act(world.store.get(stored), request, contextOf(name, world, world.store.get(stored)));
        } else if (method === "GET") {
          return show(world.store.get(stored));
        } else if (method === "DELETE") {
          const resource = world.store.get(stored);
          kind.deleting?.(resource, contextOf(name, world, resource));
          world.store.delete(stored);
          world.policies.forget(stored);
          return options.operation ? options.operation(name, {}) : {};
        } else if (method === "PUT" && kind.madeByPut && world.store.find(stored) === undefined) {
          return create(kind, parent, name.slice(parent.length + 1), request, world);
        } else if (method === "PATCH" || method === "PUT") {
          return change(kind, name, request, world);
        }
      }
      throw unknownToTheEcho(`${method} ${service} ${path}`);
    },
  };
}

export function policyAnswer(verb: string, name: string, request: ApiRequest, world: World): Json {
  if (verb === "getIamPolicy") return world.policies.get(name);
  const { policy, updateMask } = request.body;
  if (!isRecord(policy)) throw invalid("The request has no policy.");
  return world.policies.set(name, policy, typeof updateMask === "string" ? updateMask.split(",") : undefined);
}

function contextOf(name: string, world: World, before: Json | undefined): Context {
  const cut = name.lastIndexOf("/");
  return {
    name,
    id: name.slice(cut + 1),
    collection: name.slice(0, cut),
    project: /^projects\/([^/]+)/.exec(name)?.[1] ?? "",
    world,
    before,
  };
}

const pattern = (collection: string) => new RegExp(`^${collection.replaceAll("*", "[^/]+")}$`);

/** An operation of a service that speaks proto3, done at once. */
export const doneOperation = (name: string, response: Json): Json => {
  const scope = /^projects\/[^/]+(?:\/locations\/[^/]+)?/.exec(name)?.[0] ?? name;
  return { name: `${scope}/operations/done`, done: true, response };
};

/** The same for all that is made at one moment; Google's own are later than the client's. */
export const NOW = "2026-01-01T00:00:00.000000Z";
