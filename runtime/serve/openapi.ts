import { STATUS_CODES } from "node:http";
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import {
  createJsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from "fastify-type-provider-zod";
import { z } from "zod";
import { DISCLAIMER } from "../intake";
import { problemSchema } from "./schemas";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Bodies that a route reads itself, by content type: for the document alone. */
    takes?: Readonly<Record<string, { readonly schema: object }>>;
  }
}

/** What any route may answer: what the parser, the router, the identity or the process says before a handler does. */
const ALWAYS = [400, 401, 403, 404, 408, 414, 417, 429, 431, 500, 503];

const problem = (status: number) => ({
  description: STATUS_CODES[status] ?? "Error",
  content: { "application/problem+json": { schema: problemSchema } },
});

/** A route's answers: what it gives when all is well, and beside {@link ALWAYS} the problems of its own. */
export function responses<const R extends object>(good: R, ...statuses: readonly number[]) {
  const problems = [...new Set([...ALWAYS, ...statuses])].map((status) => [status, problem(status)]);
  return { ...Object.fromEntries(problems), ...good } as R;
}

const content = (type: string, text: string) => ({
  description: text,
  content: { [type]: { schema: z.string().meta({ contentMediaType: type }) } },
});
/** @param types content types, each with what it is */
export const documents = (types: Readonly<Record<string, string>>, what: string) => ({
  200: {
    description: what,
    content: Object.fromEntries(
      Object.entries(types).map(([type, text]) => [
        type,
        { schema: z.string().meta({ contentMediaType: type, description: text }) },
      ]),
    ),
  },
});
export const picture = (text: string) => ({ 200: content("image/png", text) });
export const text = (type: string, what: string) => ({ 200: content(type, what) });

const binary = { type: "string", contentMediaType: "application/octet-stream" } as const;
/** A scan as it is sent. */
export const SCAN = {
  "application/octet-stream": {
    schema: { ...binary, description: "The bytes of a DICOM (MR), NIfTI, JPEG, PNG, TIFF, BMP or WebP" },
  },
  "multipart/form-data": {
    schema: { type: "object", properties: { file: { ...binary, format: "binary" } }, required: ["file"] },
  },
};
/** @param most files */
export const SCANS = (most: number) => ({
  "multipart/form-data": {
    schema: {
      type: "object",
      properties: { file: { type: "array", items: { ...binary, format: "binary" }, minItems: 1, maxItems: most } },
      required: ["file"],
    },
  },
});
/** DICOM instances as STOW-RS sends them. */
export const INSTANCES = {
  "multipart/related": {
    schema: {
      type: "object",
      description: 'With type="application/dicom": each part is a file of DICOM PS3.10',
      properties: { instance: { type: "array", items: { ...binary, contentMediaType: "application/dicom" } } },
    },
  },
  "application/dicom": { schema: { ...binary, contentMediaType: "application/dicom" } },
};
/** A body of JSON that a route reads itself. @param schema one with a name */
export const jsonBody = (schema: z.ZodType) => ({
  "application/json": { schema: { $ref: `#/components/schemas/${z.globalRegistry.get(schema)?.id}` } },
});

export const IDEMPOTENT = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/)
    .optional()
    .describe("A request that is sent again with the same key is done once, for a day"),
});

const transform = createJsonSchemaTransform({});

/** Types, validation, answers and `/openapi.json` from one source: the schemas of the routes. Registered before these. */
export async function openApi(app: FastifyInstance): Promise<void> {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Brain MRI tumour model", description: DISCLAIMER, version: "1" },
    },
    transform: (document) => {
      const { schema, url } = transform(document);
      const takes = document.route?.config?.takes;
      return { schema: takes ? ({ ...schema, body: { content: takes } } as FastifySchema) : schema, url };
    },
    transformObject: jsonSchemaTransformObject,
  });
}
