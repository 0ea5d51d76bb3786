import type { Json } from "../json";
import { notFound, unknownToTheEcho } from "../problem";
import { doneOperation, NOW, policyAnswer } from "../resources";
import type { Service } from "../service";
import { projectNumber } from "../store";

/** Every project exists. https://cloud.google.com/resource-manager/reference/rest/v1/projects */
export const resourceManager: Service = {
  name: "cloudresourcemanager",
  endpoints: { RESOURCE_MANAGER: "v1", RESOURCE_MANAGER_V3: "v3", TAGS: "v3" },
  handle({ method, path, ...request }, world) {
    const [, project = "", verb] = /^projects\/([^/:]+)(?::(\w+))?$/.exec(path) ?? [];
    if (verb === "getIamPolicy" || verb === "setIamPolicy")
      return policyAnswer(verb, `cloudresourcemanager/projects/${project}`, { method, path, ...request }, world);
    if (method !== "GET" || project === "" || verb !== undefined) throw unknownToTheEcho(`${method} projects ${path}`);
    const number = projectNumber(project);
    return request.version === "v3"
      ? { name: `projects/${number}`, projectId: project, state: "ACTIVE", displayName: project, createTime: NOW }
      : { projectId: project, projectNumber: number, lifecycleState: "ACTIVE", name: project, createTime: NOW };
  },
};

/** Enabled APIs, which stay enabled. https://cloud.google.com/service-usage/docs/reference/rest/v1/services */
export const serviceUsage: Service = {
  name: "serviceusage",
  endpoints: { SERVICE_USAGE: "v1" },
  handle({ method, path, body }, { store }) {
    const [, project = "", rest = ""] = /^projects\/([^/:]+)(.*)$/.exec(path) ?? [];
    const enabled = `serviceusage/projects/${project}/services`;
    const enable = (name: string) => store.put(`${enabled}/${name}`, serviceOf(project, name));
    if (method === "POST" && rest === "/services:batchEnable") {
      const names = (body.serviceIds as string[] | undefined) ?? [];
      return doneOperation(`projects/${project}`, { services: names.map(enable) });
    }
    const [, name, verb] = /^\/services\/([^/:]+)(?::(\w+))?$/.exec(rest) ?? [];
    if (method === "POST" && name !== undefined && verb === "enable")
      return doneOperation(`projects/${project}`, { service: enable(name) });
    if (method === "POST" && name !== undefined && verb === "disable") {
      store.delete(`${enabled}/${name}`);
      return doneOperation(`projects/${project}`, {});
    }
    if (method === "GET" && rest === "/services") {
      const services = store.below(enabled).map(([, service]) => service);
      return services.length > 0 ? { services } : {};
    }
    if (method === "GET" && name !== undefined) {
      const found = store.find(`${enabled}/${name}`);
      if (!found) throw notFound(name);
      return found;
    }
    throw unknownToTheEcho(`${method} serviceusage ${path}`);
  },
};

const serviceOf = (project: string, name: string): Json => {
  const parent = `projects/${projectNumber(project)}`;
  return { name: `${parent}/services/${name}`, config: { name }, state: "ENABLED", parent };
};
