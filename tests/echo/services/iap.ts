import { resourceService } from "../resources";

/** Who may pass to a backend service. https://cloud.google.com/iap/docs/reference/rest/v1/V1 */
export const iap = resourceService({
  name: "iap",
  endpoints: { IAP: "v1" },
  kinds: [],
  policyOf: (path, world) => {
    const [, project, backend] = /^projects\/([^/]+)\/iap_web\/compute\/services\/([^/]+)$/.exec(path) ?? [];
    return world.store.find(`compute/projects/${project}/global/backendServices/${backend}`) !== undefined;
  },
});
