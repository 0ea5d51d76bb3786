import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";

/** One subject, group or attribute of a pool: never all of it, which would be whoever its provider knows. */
const PRINCIPAL =
  /^principal(?::\/\/iam\.googleapis\.com\/projects\/\d{1,19}\/locations\/global\/workloadIdentityPools\/[a-z][a-z0-9-]{2,30}[a-z0-9]\/subject|Set:\/\/iam\.googleapis\.com\/projects\/\d{1,19}\/locations\/global\/workloadIdentityPools\/[a-z][a-z0-9-]{2,30}[a-z0-9]\/(?:group|attribute\.[a-z0-9_]{1,100}))\/[^\s/*][^\s*]*$/;

/** `gateway` of a hospital's line. */
export const gatewayLine = linePart({
  schema: z.strictObject({
    principal: z
      .string()
      .regex(PRINCIPAL)
      .optional()
      .describe(
        "principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/subject/SUBJECT, or principalSet://.../group/GROUP or .../attribute.NAME/VALUE",
      ),
  }),
  purpose: {
    principal:
      "Who signs in as the gateway in the hospital: a subject of a workload identity pool, which the hospital's own identity provider vouches for, so that no key lies there. It may add de-identified scans below `Unlabelled/gateway/`, and read the answers of studies. Without it there is no such account.",
  },
  defaults: inEveryTier({}),
});
