import { setImmediate } from "node:timers/promises";
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
  draw(): Promise<Buffer>;
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
 * What the dashboard asks for besides answers: who its visitor is, and samples to try, each drawn when it is first
 * asked for, and kept. No patient is in them, and no evidence.
 */
export async function visitorRoutes(app: FastifyInstance): Promise<void> {
  const api = app.withTypeProvider<ZodTypeProvider>();
  const drawn = new Map<string, Promise<Buffer>>();
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
      items: SAMPLES.map(({ name, description }) => ({ name, description, path: `/v1/samples/${name}` })),
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
      const sample = SAMPLES.find(({ name }) => name === params.name);
      if (!sample) throw notFound("There is no sample of this name. GET /v1/samples lists them.");
      const content = drawn.get(sample.name) ?? sample.draw();
      drawn.set(sample.name, content);
      return reply
        .type(sample.type)
        .header("cache-control", "private, max-age=3600")
        .send((await content) as never);
    },
  });
}

/** Patient, place in the head from -1 to 1, and whether there is a mass. */
type Slice = readonly [patient: number, slice: number, lesion: boolean];

/** One slice takes some 60 ms; what else is asked meanwhile goes first. */
async function phantom(patient: number, slice: number, lesion: boolean): Promise<Uint8Array> {
  await setImmediate();
  return drawPhantom({ seed: SEED, patient, slice, size: SIZE, lesion }).pixels;
}

/** Slices as the pages of a TIFF, twelve bits in sixteen as scanners store them. */
async function stack(slices: readonly Slice[]): Promise<Buffer> {
  const pixels = new Uint16Array(slices.length * SIZE * SIZE);
  for (const [page, slice] of slices.entries())
    pixels.set(
      Uint16Array.from(await phantom(...slice), (grey) => grey * 16),
      page * SIZE * SIZE,
    );
  const raw = { width: SIZE, height: slices.length * SIZE, channels: 1, pageHeight: SIZE } as const;
  return sharp(pixels, { raw }).toColourspace("grey16").tiff({ compression: "deflate" }).toBuffer();
}

const single = (kind: "with" | "without", n: number): Sample => ({
  name: `phantom-${kind}-mass-${n}.png`,
  description: `One slice ${kind} a mass`,
  type: "image/png",
  async draw() {
    const pixels = await phantom(n, 0, kind === "with");
    const image = sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 1 } });
    return image.toColourspace("b-w").png().toBuffer();
  },
});

const SAMPLES: readonly Sample[] = [
  single("with", 1),
  single("with", 2),
  single("without", 1),
  single("without", 2),
  {
    name: "phantom-16-bit.tif",
    description: "One slice with a mass, 12 bits in 16",
    type: "image/tiff",
    draw: () => stack([[3, 0.1, true]]),
  },
  {
    name: "phantom-9-slices.tif",
    description: "Nine slices of one head, a mass in the middle ones",
    type: "image/tiff",
    draw: () =>
      stack(Array.from({ length: PAGES }, (_, i) => [4, (i / (PAGES - 1)) * 1.4 - 0.7, i >= 3 && i <= 5] as const)),
  },
];
