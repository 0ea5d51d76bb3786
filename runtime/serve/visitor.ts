import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import sharp from "sharp";
import { z } from "zod";
import { drawPhantom } from "../phantom";
import { responses } from "./openapi";
import { notFound } from "./problem";
import { callerSchema, samplesSchema } from "./schemas";

/** A drawn scan to try the service with. */
interface Sample {
  readonly name: string;
  readonly description: string;
  readonly type: "image/png" | "image/tiff";
  readonly content: Buffer;
}

const VIEWER = { config: { role: "viewer" } } as const;
const SIZE = 224;
const SEED = 14;
const PAGES = 9;

const FILE = {
  200: {
    description: "A drawn scan",
    content: Object.fromEntries(
      ["image/png", "image/tiff"].map((type) => [type, { schema: z.string().meta({ contentMediaType: type }) }]),
    ),
  },
};

/**
 * What the dashboard asks for besides answers: who its visitor is, and samples to try, drawn when the first one is asked
 * for, and kept. No patient is in them, and no evidence.
 */
export async function visitorRoutes(app: FastifyInstance): Promise<void> {
  const api = app.withTypeProvider<ZodTypeProvider>();
  let drawn: Promise<readonly Sample[]> | undefined;
  const samples = () => {
    drawn ??= drawSamples();
    return drawn;
  };
  api.get("/v1/me", {
    ...VIEWER,
    schema: { summary: "Who asks, and in which role", response: responses({ 200: callerSchema }) },
    handler: async ({ caller }, reply) =>
      reply.header("cache-control", "no-store").send({ who: caller.who, role: caller.role }),
  });
  api.get("/v1/samples", {
    ...VIEWER,
    schema: { summary: "Drawn scans to try the service with", response: responses({ 200: samplesSchema }) },
    handler: async () => ({
      items: (await samples()).map(({ name, description }) => ({ name, description, path: `/v1/samples/${name}` })),
    }),
  });
  api.get("/v1/samples/:name", {
    ...VIEWER,
    schema: {
      summary: "A drawn scan",
      params: z.object({ name: z.string().max(100) }),
      response: responses(FILE),
    },
    handler: async ({ params }, reply) => {
      const sample = (await samples()).find(({ name }) => name === params.name);
      if (!sample) throw notFound("There is no sample of this name. GET /v1/samples lists them.");
      return reply
        .type(sample.type)
        .header("cache-control", "private, max-age=3600")
        .send(sample.content as never);
    },
  });
}

async function drawSamples(): Promise<readonly Sample[]> {
  const slices = (["with", "without"] as const).flatMap((kind) => [1, 2].map((n) => ({ kind, n })));
  return Promise.all([
    ...slices.map(async ({ kind, n }): Promise<Sample> => {
      const { pixels } = phantom(n, 0, kind === "with");
      const image = sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 1 } });
      const content = await image.toColourspace("b-w").png().toBuffer();
      return {
        name: `phantom-${kind}-mass-${n}.png`,
        description: `One slice ${kind} a mass`,
        type: "image/png",
        content,
      };
    }),
    stack("phantom-16-bit.tif", "One slice with a mass, 12 bits in 16", [[3, 0.1, true]], 16),
    stack(
      "phantom-9-slices.tif",
      "Nine slices of one head, a mass in the middle ones",
      Array.from({ length: PAGES }, (_, i): Slice => [4, (i / (PAGES - 1)) * 1.4 - 0.7, i >= 3 && i <= 5]),
      16,
    ),
  ]);
}

/** Patient, place in the head from -1 to 1, and whether there is a mass. */
type Slice = readonly [patient: number, slice: number, lesion: boolean];

const phantom = (patient: number, slice: number, lesion: boolean) =>
  drawPhantom({ seed: SEED, patient, slice, size: SIZE, lesion });

/** Slices as the pages of a TIFF, twelve bits in sixteen as scanners store them. */
async function stack(name: string, description: string, slices: readonly Slice[], scale: number): Promise<Sample> {
  const pixels = new Uint16Array(slices.length * SIZE * SIZE);
  slices.forEach((slice, page) => {
    pixels.set(
      Uint16Array.from(phantom(...slice).pixels, (grey) => grey * scale),
      page * SIZE * SIZE,
    );
  });
  const raw = { width: SIZE, height: slices.length * SIZE, channels: 1, pageHeight: SIZE } as const;
  const content = await sharp(pixels, { raw }).toColourspace("grey16").tiff({ compression: "deflate" }).toBuffer();
  return { name, description, type: "image/tiff", content };
}
