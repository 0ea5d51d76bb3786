import { DEFAULT_LIMITS, type ImageLimits } from "../imaging";
import {
  EMPTY_MANIFEST,
  type Identities,
  identitiesUnder,
  MANIFEST,
  type Manifest,
  type Pseudonymiser,
  parseManifest,
} from "../intake";
import { ConfigurationError } from "../platform/config";
import type { Logger } from "../platform/logging";
import type { WithMessageForLogs } from "../platform/names-in-logs";
import type { CreatableStore, ObjectInfo, ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import type { BurnedInTextCheck } from "./burned-in-text";
import type { LandingEvent } from "./event";
import { batchName } from "./examine";

/** A manifest in landing that cannot be used; the lines that it names hold names. */
class UnusableManifestError extends ConfigurationError implements WithMessageForLogs {
  readonly forLogs: string;

  constructor({ problems }: ConfigurationError) {
    super(MANIFEST, problems);
    const lines = problems.flatMap((problem) => /^line \d+/.exec(problem) ?? []);
    this.forLogs = `${MANIFEST} cannot be used: ${lines.join(", ") || "see it"}. npm run ingest over a copy of it says why.`;
  }
}

function readable(content: Buffer): Manifest {
  try {
    return parseManifest(content);
  } catch (error) {
    throw error instanceof ConfigurationError ? new UnusableManifestError(error) : error;
  }
}

/** Landing, as far as one of its objects is looked at. */
export type LandingStore = Pick<ReadableStore, "stat" | "read" | "createReadStream">;

/** What looking at an object needs from its surroundings, and nothing by which it could change something. */
export type LookingContext = { readonly landing: LandingStore } & Pick<
  IngestContext,
  "identities" | "manifest" | "find" | "isDone" | "text" | "limits" | "bytesKept" | "keepsPages"
>;

export interface IngestOptions {
  readonly landing: ReadableStore;
  readonly curated: ReadableStore & CreatableStore;
  readonly quarantine: CreatableStore;
  readonly warehouse: Warehouse;
  readonly pseudonymiser: Pseudonymiser;
  readonly log: Logger;
  /** Keeps back what has text in its pixels. @default text is allowed */
  readonly text?: BurnedInTextCheck | undefined;
  /** Overrides of the default limits. */
  readonly limits?: Partial<ImageLimits>;
  /** Bytes of curated pages that one examined file may hold on to. Default 32 MiB. */
  readonly bytesKept?: number;
  /** The time of day; another one in tests. */
  readonly now?: () => Date;
}

/** What handling one object needs from its surroundings. */
export class IngestContext {
  readonly landing: ReadableStore;
  readonly curated: ReadableStore & CreatableStore;
  readonly quarantine: CreatableStore;
  readonly warehouse: Warehouse;
  private readonly pseudonymiser: Pseudonymiser;
  readonly log: Logger;
  readonly text: BurnedInTextCheck | undefined;
  readonly limits: ImageLimits;
  readonly bytesKept: number;
  /** Whether curated pages are made of what is examined. */
  readonly keepsPages: boolean = true;
  readonly now: () => Date;
  private opened: Promise<Identities> | undefined;
  private known: { generation: number; manifest: Promise<Manifest> } | undefined;

  constructor(options: IngestOptions) {
    this.landing = options.landing;
    this.curated = options.curated;
    this.quarantine = options.quarantine;
    this.warehouse = options.warehouse;
    this.pseudonymiser = options.pseudonymiser;
    this.log = options.log;
    this.text = options.text;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.bytesKept = options.bytesKept ?? 32 * 2 ** 20;
    this.now = options.now ?? (() => new Date());
  }

  /** What stands for identifiers; the key is asked when it is first needed, and again where it did not answer. */
  identities(): Promise<Identities> {
    if (!this.opened) {
      this.opened = identitiesUnder(this.pseudonymiser);
      this.opened.catch(() => {
        this.opened = undefined;
      });
    }
    return this.opened;
  }

  /** The object that the event names, unless it has been deleted for good. */
  async find({ name, generation }: LandingEvent): Promise<ObjectInfo | undefined> {
    return this.landing.stat(name, { generation });
  }

  async isDone({ name, generation }: LandingEvent): Promise<boolean> {
    return (await this.warehouse.batch("images", batchName(name, generation))) !== undefined;
  }

  /** `manifest.csv` of the landing bucket, read again when it has changed. @throws {ConfigurationError} */
  async manifest(): Promise<Manifest> {
    const object = await this.landing.stat(MANIFEST);
    if (!object) return EMPTY_MANIFEST;
    const { generation } = object;
    if (this.known?.generation !== generation) {
      const manifest = this.landing.read(MANIFEST, { generation }).then(readable);
      this.known = { generation, manifest };
      manifest.catch(() => {
        this.known = undefined;
      });
    }
    return this.known.manifest;
  }
}
