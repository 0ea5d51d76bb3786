import { createHash } from "node:crypto";
import { type Json, masked, recordOf } from "../json";
import { alreadyExists, invalid, notFound, unknownToTheEcho } from "../problem";
import { doneOperation, policyAnswer, resourceService } from "../resources";
import type { ApiRequest, Service, World } from "../service";
import { projectNumber } from "../store";

const POOLS = "projects/*/locations/global/workloadIdentityPools";

/** Pools by which other issuers' tokens count, and their providers; both are named by the project's number. */
const pools = resourceService({
  name: "iam",
  endpoints: {},
  operation: doneOperation,
  maps: ["attributeMapping"],
  kinds: [
    {
      collection: POOLS,
      id: ({ query }) => query.get("workloadIdentityPoolId"),
      complete: (pool, { name }) => ({ ...pool, name: byNumber(name), state: "ACTIVE" }),
    },
    {
      collection: `${POOLS}/*/providers`,
      needs: (collection) => `iam/${collection.replace(/\/providers$/, "")}`,
      id: ({ query }) => query.get("workloadIdentityPoolProviderId"),
      complete: (provider, { name }) => ({ ...provider, name: byNumber(name), state: "ACTIVE" }),
    },
  ],
});

const byNumber = (name: string) =>
  name.replace(/^projects\/([^/]+)/, (_all, project: string) => `projects/${projectNumber(project)}`);

/** https://cloud.google.com/iam/docs/reference/rest/v1 */
export const iam: Service = {
  name: "iam",
  endpoints: { IAM: "v1", IAM_BETA: "v1" },
  handle(request, world) {
    const { path } = request;
    if (path.includes("/workloadIdentityPools")) return pools.handle(request, world);
    if (path.includes("/roles")) return roles(request, world);
    if (path.includes("/serviceAccounts")) return accounts(request, world);
    throw unknownToTheEcho(`${request.method} iam ${path}`);
  },
};

function accounts(request: ApiRequest, world: World): Json {
  const { method, path, body } = request;
  const [, project = "", email, verb] =
    /^projects\/([^/]+)\/serviceAccounts(?:\/([^/:]+))?(?::(\w+))?$/.exec(path) ?? [];
  if (email === undefined) {
    if (method !== "POST") throw unknownToTheEcho(`${method} iam ${path}`);
    return createAccount(project, String(body.accountId), recordOf(body.serviceAccount), world);
  }
  // An address says by itself which project it is of: projects/-/serviceAccounts/ADDRESS.
  const owner = /@([^.]+)\.iam\.gserviceaccount\.com$/.exec(email)?.[1] ?? project;
  const stored = `iam/projects/${owner}/serviceAccounts/${email}`;
  const account = world.store.get(stored);
  if (verb === "getIamPolicy" || verb === "setIamPolicy") return policyAnswer(verb, stored, request, world);
  if (method === "GET") return account;
  if (method === "DELETE") {
    world.store.delete(stored);
    world.policies.forget(stored);
    return {};
  }
  if (method === "PATCH" || method === "PUT") {
    const written = recordOf(body.serviceAccount ?? body);
    const mask = typeof body.updateMask === "string" ? body.updateMask.split(",") : ["displayName", "description"];
    return world.store.put(stored, masked(account, written, mask));
  }
  throw unknownToTheEcho(`${method} iam ${path}`);
}

function createAccount(project: string, id: string, written: Json, world: World): Json {
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(id))
    throw invalid(`${id} is no id of a service account: 6 to 30 characters.`);
  const email = `${id}@${project}.iam.gserviceaccount.com`;
  const name = `projects/${project}/serviceAccounts/${email}`;
  const uniqueId = BigInt(`0x${createHash("sha256").update(email).digest("hex").slice(0, 16)}`).toString();
  return world.store.create(`iam/${name}`, {
    ...Object.fromEntries(Object.entries(written).filter(([, value]) => value !== "")),
    name,
    projectId: project,
    uniqueId,
    email,
    oauth2ClientId: uniqueId,
    etag: "MDEwMjE5MjA=",
  });
}

/** A role that was deleted keeps its name for weeks, marked so. */
function roles({ method, path, body, query }: ApiRequest, { store }: World): Json {
  const [, project = "", id, verb] = /^projects\/([^/]+)\/roles(?:\/([^/:]+))?(?::(\w+))?$/.exec(path) ?? [];
  const key = (role: string) => `iam/projects/${project}/roles/${role}`;
  const written = (role: string, fields: Json): Json => {
    const { includedPermissions, ...rest } = fields;
    const permissions = Array.isArray(includedPermissions) ? [...includedPermissions].sort() : [];
    return { ...rest, includedPermissions: permissions, name: `projects/${project}/roles/${role}`, etag: "BwYAAA==" };
  };
  if (method === "POST" && id === undefined) {
    const role = String(body.roleId);
    if (store.find(key(role))) throw alreadyExists(`projects/${project}/roles/${role}`);
    return store.create(key(role), written(role, recordOf(body.role)));
  }
  if (id !== undefined) {
    const role = store.get(key(id));
    if (method === "GET") return role;
    if (method === "DELETE") return store.put(key(id), { ...role, deleted: true });
    if (method === "POST" && verb === "undelete") {
      const { deleted, ...rest } = role;
      return store.put(key(id), rest);
    }
    if (method === "PATCH") {
      const mask = (query.get("updateMask") ?? "title,description,includedPermissions,stage").split(",");
      return store.put(key(id), written(id, masked(role, body, mask)));
    }
  }
  throw id === undefined ? unknownToTheEcho(`${method} iam ${path}`) : notFound(path);
}

/** An account of a project that the echo has accounts of has to be there. */
export function checkAccount(email: unknown, world: World): void {
  if (typeof email !== "string") return;
  const [, project] = /@([^.]+)\.iam\.gserviceaccount\.com$/.exec(email) ?? [];
  if (project !== undefined && !world.store.find(`iam/projects/${project}/serviceAccounts/${email}`))
    throw notFound(`The service account ${email}`);
}
