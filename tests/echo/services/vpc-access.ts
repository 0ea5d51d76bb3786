import { recordOf } from "../json";
import { invalid, notFound } from "../problem";
import { doneOperation, resourceService } from "../resources";

/** https://cloud.google.com/vpc/docs/reference/vpcaccess/rest */
export const vpcAccess = resourceService({
  name: "vpcaccess",
  endpoints: { VPC_ACCESS: "v1" },
  operation: doneOperation,
  kinds: [
    {
      collection: "projects/*/locations/*/connectors",
      id: ({ query }) => query.get("connectorId"),
      complete: (connector, { id, name, project, world }) => {
        if (!/^[a-z][-a-z0-9]{0,23}[a-z0-9]$/.test(id)) throw invalid(`"${id}" is no name of a connector.`);
        const { name: subnet } = recordOf(connector.subnet);
        const region = name.split("/")[3];
        if (!world.store.find(`compute/projects/${project}/regions/${region}/subnetworks/${subnet}`))
          throw notFound(`The subnet ${String(subnet)}`);
        return { ...connector, name, state: "READY", connectedProjects: [] };
      },
    },
  ],
});
