import { recordOf } from "../json";
import { NOW, resourceService } from "../resources";
import { projectNumber } from "../store";

/** https://cloud.google.com/logging/docs/reference/v2/rest */
export const logging = resourceService({
  name: "logging",
  endpoints: { LOGGING: "v2" },
  maps: ["labelExtractors"],
  kinds: [
    {
      collection: "projects/*/metrics",
      id: ({ body }) => encodeURIComponent(String(body.name)),
      complete: (metric, { id, project, before }) => {
        const name = decodeURIComponent(id);
        const type = `logging.googleapis.com/user/${name}`;
        return {
          ...metric,
          name,
          metricDescriptor: {
            ...recordOf(metric.metricDescriptor),
            name: `projects/${project}/metricDescriptors/${type}`,
            type,
            description: metric.description,
          },
          createTime: before?.createTime ?? NOW,
          updateTime: NOW,
        };
      },
    },
    {
      collection: "projects/*/sinks",
      complete: (sink, { id, project }) => {
        // Its destination may come later: until then what is routed there is lost.
        return {
          ...sink,
          name: id,
          resourceName: `projects/${project}/sinks/${id}`,
          writerIdentity: `serviceAccount:service-${projectNumber(project)}@gcp-sa-logging.iam.gserviceaccount.com`,
          createTime: NOW,
          updateTime: NOW,
        };
      },
    },
  ],
});
