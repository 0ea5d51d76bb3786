import { z } from "zod";
import { curatedName } from "../dataset";
import { PERCEPTUAL_HASH } from "../imaging";
import { LABELS, SPLITS } from "../intake";
import { ConfigurationError } from "../platform/config";

/**
 * A line of a listing: an image that is curated, under the name one gives it. Columns are those of the table `images`;
 * others are ignored.
 */
const lineSchema = z.object({
  id: z.string().min(1),
  source: z.string().min(1),
  generation: z.int().nonnegative().default(1),
  label: z.enum(LABELS).nullish(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
  phash: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
  /** Id of the perceptual hash that `phash` is by. One by another than the current is made anew, of the picture. */
  hash: z.string().min(1).default(PERCEPTUAL_HASH.id),
  patient: z.string().nullish(),
  study: z.string().nullish(),
  series: z.string().nullish(),
  given_split: z.enum(SPLITS).nullish(),
  width: z.int().positive().nullish(),
  height: z.int().positive().nullish(),
  /** Name in the curated bucket. */
  object: z.string().min(1).optional(),
  /** Name of the lesion mask in the curated bucket. In the table `images` it is the name below landing: not read there. */
  curated_mask: z.string().min(1).nullish(),
});

const MISTAKES_SHOWN = 10;

type ListedImage = z.infer<typeof lineSchema>;

/**
 * The lines of a listing (JSON, a line an image), by id.
 *
 * @param location what a person calls the listing
 * @throws {ConfigurationError} with the mistakes of the listing, by line
 */
export function checkListing(text: string, location: string): Listing {
  const images = new Map<string, ListedImage>();
  const mistakes: string[] = [];
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const problems = problemsOf(line, images);
    if (problems.length > 0) mistakes.push(`line ${index + 1}: ${problems.join("; ")}.`);
  });
  const more = mistakes.length > MISTAKES_SHOWN ? [`and ${mistakes.length - MISTAKES_SHOWN} lines more.`] : [];
  if (mistakes.length > 0)
    throw new ConfigurationError(`The listing ${location}`, [...mistakes.slice(0, MISTAKES_SHOWN), ...more]);
  return images;
}

/** Adds a line's image to the others, or says what is wrong with it. */
function problemsOf(line: string, images: Map<string, ListedImage>): string[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return ["is not JSON"];
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  if (images.has(parsed.data.id)) return [`the id ${parsed.data.id} stands twice`];
  images.set(parsed.data.id, parsed.data);
  return [];
}

type Listing = ReadonlyMap<string, ListedImage>;

/**
 * The lines of a listing as a plan is made of them, ascending by id. Unlike the table, a listing is taken as it is: every line
 * gives a row, also where two lines name the same pixels (they are of one group).
 */
export function* plannedOfListing(listing: Listing): Generator<Readonly<Record<string, unknown>>> {
  for (const image of [...listing.values()].sort((a, b) => (a.id < b.id ? -1 : 1)))
    yield { ...image, object: objectOf(image) };
}

const objectOf = ({ object, sha256 }: Pick<ListedImage, "object" | "sha256">) => object ?? curatedName(sha256);
