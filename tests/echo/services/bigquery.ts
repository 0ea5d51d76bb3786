import { type Json, merged, recordOf } from "../json";
import { ApiProblem, invalid, unknownToTheEcho } from "../problem";
import { NOW, policyAnswer } from "../resources";
import type { ApiRequest, Service, World } from "../service";
import { checkKey } from "./kms";

const SELF = "https://bigquery.googleapis.com/bigquery/v2";
/** Milliseconds, as text. */
const TIME = String(Date.parse(NOW));

/** https://cloud.google.com/bigquery/docs/reference/rest */
export const bigQuery: Service = {
  name: "bigquery",
  endpoints: { BIG_QUERY: "v2" },
  handle(request, world) {
    const { method, path, query } = request;
    const [, project = "", dataset, table, verb] =
      /^projects\/([^/]+)\/datasets(?:\/([^/]+)(?:\/tables(?:\/([^/:]+)(?::(\w+))?)?)?)?$/.exec(path) ?? [];
    if (project === "") throw unknownToTheEcho(`${method} bigquery ${path}`);
    if (dataset === undefined) {
      if (method === "POST") return createDataset(project, request, world);
    } else if (path.endsWith("/tables")) {
      if (method === "POST") return createTable(project, dataset, request, world);
      if (method === "GET") return { tables: world.store.below(`bigquery/${path}`).map(([, item]) => item) };
    } else if (table === undefined) {
      const stored = `bigquery/${path}`;
      const found = world.store.get(stored);
      if (method === "GET") return found;
      if (method === "PATCH" || method === "PUT")
        return world.store.put(stored, completeDataset(changed(found, request), project, dataset));
      if (method === "DELETE") {
        const tables = world.store.below(`${stored}/tables`);
        if (tables.length > 0 && query.get("deleteContents") !== "true")
          throw new ApiProblem(400, "RESOURCE_IN_USE", `Dataset ${project}:${dataset} is still in use`);
        for (const [name] of tables) world.store.delete(name);
        return world.store.delete(stored) && {};
      }
    } else {
      const stored = `bigquery/projects/${project}/datasets/${dataset}/tables/${table}`;
      const found = world.store.get(stored);
      if (verb === "getIamPolicy" || verb === "setIamPolicy") return policyAnswer(verb, stored, request, world);
      if (method === "GET") return found;
      if (method === "PATCH" || method === "PUT")
        return world.store.put(stored, completeTable(changed(found, request), project, dataset, world));
      if (method === "DELETE") {
        world.policies.forget(stored);
        return world.store.delete(stored) && {};
      }
    }
    throw unknownToTheEcho(`${method} bigquery ${path}`);
  },
};

const changed = (found: Json, { method, body }: ApiRequest): Json =>
  method === "PUT" ? { ...body, creationTime: found.creationTime } : merged(found, body);

function createDataset(project: string, { body }: ApiRequest, world: World): Json {
  const id = String(recordOf(body.datasetReference).datasetId);
  if (!/^[A-Za-z0-9_]{1,1024}$/.test(id)) throw invalid(`Invalid dataset ID "${id}".`);
  checkKey(recordOf(body.defaultEncryptionConfiguration).kmsKeyName, world);
  return world.store.create(`bigquery/projects/${project}/datasets/${id}`, completeDataset(body, project, id));
}

const completeDataset = (dataset: Json, project: string, id: string): Json => ({
  maxTimeTravelHours: "168",
  access: [
    { role: "WRITER", specialGroup: "projectWriters" },
    { role: "OWNER", specialGroup: "projectOwners" },
    { role: "READER", specialGroup: "projectReaders" },
  ],
  creationTime: TIME,
  ...withoutEmpty(dataset),
  kind: "bigquery#dataset",
  id: `${project}:${id}`,
  datasetReference: { projectId: project, datasetId: id },
  selfLink: `${SELF}/projects/${project}/datasets/${id}`,
  etag: "1",
  lastModifiedTime: TIME,
  type: "DEFAULT",
});

function createTable(project: string, dataset: string, { body }: ApiRequest, world: World): Json {
  world.store.get(`bigquery/projects/${project}/datasets/${dataset}`);
  const id = String(recordOf(body.tableReference).tableId);
  return world.store.create(
    `bigquery/projects/${project}/datasets/${dataset}/tables/${id}`,
    completeTable(body, project, dataset, world),
  );
}

function completeTable(table: Json, project: string, dataset: string, world: World): Json {
  const id = String(recordOf(table.tableReference).tableId);
  const { location, defaultEncryptionConfiguration: encryption } = world.store.get(
    `bigquery/projects/${project}/datasets/${dataset}`,
  );
  const view = table.view === undefined ? undefined : { useLegacySql: false, ...recordOf(table.view) };
  if (view && !recordOf(table.view).query) throw invalid("A view has a query.");
  return {
    creationTime: TIME,
    // The dataset's default is the table's own from then on.
    ...(encryption === undefined ? {} : { encryptionConfiguration: encryption }),
    // Whatever the query gives.
    ...(view === undefined ? {} : { schema: { fields: [{ name: "column", type: "STRING", mode: "NULLABLE" }] } }),
    ...withoutEmpty(table),
    ...(view === undefined ? {} : { view }),
    kind: "bigquery#table",
    id: `${project}:${dataset}.${id}`,
    selfLink: `${SELF}/projects/${project}/datasets/${dataset}/tables/${id}`,
    etag: "1",
    location,
    lastModifiedTime: TIME,
    type: view === undefined ? "TABLE" : "VIEW",
    numBytes: "0",
    numLongTermBytes: "0",
    numRows: "0",
  };
}

/** At the top an empty or false value is as good as none. */
const withoutEmpty = (resource: Json): Json =>
  Object.fromEntries(
    Object.entries(resource).filter(
      ([, value]) => value !== false && value !== "" && value !== null && !(Array.isArray(value) && value.length === 0),
    ),
  );
