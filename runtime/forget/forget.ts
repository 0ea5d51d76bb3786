import { FORGOTTEN, LOG_FOLDER, leafOfRow, SEALED_TABLE_NAMES, writeErasure } from "../audit";
import { ShardFiles, shardName } from "../dataset";
import { type Identities, MANIFEST, withoutRows } from "../intake";
import { type ErasableStore, erasable, ObjectNotFoundError, readJson } from "../platform/stores";
import { LAYOUTS, type Named, TABLE_NAMES, type TableName, type Values } from "../platform/warehouse";
import type { Found, Wanted } from "./find";
import type { Place } from "./hospital";
import { Mentions } from "./mentions";
import { type ErasableTables, isMeant, replaceObject, TableFiles } from "./tables";

/** What was taken away, or would be. */
export interface Forgotten {
  /** Objects by bucket. */
  readonly objects: Readonly<Record<string, number>>;
  /** Rows by table; of `audit`, rows that were kept without what linked them. */
  readonly rows: Readonly<Record<string, number>>;
  /** Reports that spoke of it and are gone as a whole: their names. */
  readonly reports: readonly string[];
}

/** What serve keeps below the reports of answers and of what it took: no step makes it anew. */
const OF_ANSWERS = /^(accessions|answers|history|feedback[^/]*|idempotency|dicomweb|studies)\//;

/** Resources of a FHIR store that go: the ids that it gave them, which say nothing. */
const RESOURCES = "-fhir.json";

/** By their rows the rest is found: they go after it, in this order. */
const LEADING: readonly TableName[] = ["predictions", "images"];

type SealedRow = Parameters<typeof leafOfRow>[1];
type Line = Readonly<Record<string, unknown>>;

/**
 * Takes everything of a patient or a scan away, in every generation. What it is found by, the rows of `images`, goes last:
 * whoever is stopped and begins anew finds the rest. Nothing else is changed: objects that keep a part are replaced first,
 * and their earlier generations taken away then.
 */
export async function forget(
  workspace: Place,
  found: Found,
  options: {
    /** What was asked for, and whose pseudonyms: a DICOM store of the hospital knows its own names alone. */
    readonly wanted: Wanted;
    readonly identities: Identities;
    readonly mark: string;
    readonly dry: boolean;
    readonly now: Date;
    readonly signal: AbortSignal;
  },
): Promise<Forgotten> {
  return new Forgetting(workspace, found, options).run();
}

/** A name for what was asked for that tells nothing of it: the holder of the key can make it again, and nobody else. */
export async function markOf(wanted: Wanted, identities: Identities): Promise<string> {
  const names = await identities.of(undefined);
  const what = "patient" in wanted ? `patient ${wanted.patient.trim()}` : `source ${wanted.source}`;
  return names.uid(`forgotten ${what}`).slice("2.25.".length);
}

class Forgetting {
  private readonly objects: Record<string, number> = {};
  private readonly rows: Record<string, number> = {};
  private readonly reports: string[] = [];
  /** Of answers about the pictures. */
  private readonly answers = new Set<string>();
  private readonly requests = new Set<string>();

  private readonly tables: ErasableTables;

  constructor(
    private readonly workspace: Place,
    private readonly found: Found,
    private readonly options: Parameters<typeof forget>[2],
  ) {
    this.tables = workspace.tables ?? new TableFiles(this.store("warehouse"), options.signal);
  }

  async run(): Promise<Forgotten> {
    const { ids, pictures, objects } = this.found;
    await this.findAnswers();
    await this.stores();
    await this.shards();
    await this.kept();
    await this.below(
      "quarantine",
      [...ids].map((id) => `${id}/`),
    );
    await this.named("curated", [
      ...[...pictures].map((sha256) => `images/${sha256}.png`),
      ...[...ids].map((id) => `masks/${id}.png`),
    ]);
    await this.ownUp();
    for (const table of TABLE_NAMES) if (!LEADING.includes(table)) await this.without(table);
    await this.without("predictions");
    await this.manifest();
    await this.named("landing", objects);
    const isNothing = [this.objects, this.rows].every((counts) => Object.keys(counts).length === 0) && ids.size === 0;
    if (isNothing) return { objects: {}, rows: {}, reports: [] };
    // Of what was made of scans, earlier versions may show what the present ones do not.
    if (!this.options.dry)
      for (const bucket of ["processed", "curated", "quarantine", "reports", "warehouse"] as const)
        await this.store(bucket).forgetNoncurrent();
    await this.tombstone();
    await this.without("images");
    return { objects: this.objects, rows: this.rows, reports: this.reports };
  }

  private async findAnswers(): Promise<void> {
    const { pictures } = this.found;
    for (const { row } of await this.workspace.warehouse.rows("predictions"))
      if (pictures.has(row.sha256)) {
        this.answers.add(row.id);
        this.requests.add(row.request);
      }
    // A scan of several pages has one row, of its most suspicious one.
    for await (const { name } of this.workspace.buckets.reports.listAll("answers/")) {
      const [, id = "", , file = ""] = name.split("/");
      if (pictures.has(file.replace(/\.png$/, ""))) this.answers.add(id);
      // A scan that was sent to the service alone has no row of images: what was kept says whose it is.
      if (name.endsWith(".json") && this.found.pseudonym !== undefined) {
        const { study, prediction } = (await readJson(this.workspace.buckets.reports, name)) as {
          readonly study?: { readonly patient?: string | null };
          readonly prediction?: { readonly request?: string };
        };
        if (study?.patient !== this.found.pseudonym) continue;
        this.answers.add(id);
        if (prediction?.request !== undefined) this.requests.add(prediction.request);
      }
    }
  }

  /**
   * The hospital's stores in the cloud: first where scans come from, so that nothing lands meanwhile. What goes of the FHIR
   * store is written down before: deleted and not yet purged it would be found by nobody.
   */
  private async stores(): Promise<void> {
    const { stores } = this.workspace;
    if (!stores) return;
    const { wanted, identities, mark, dry, now } = this.options;
    this.add("dicom store", await stores.dicom.erase(wanted, identities, dry));
    const found = await stores.fhir.mentioning(this.mentions());
    this.add("fhir store", found.length);
    if (dry) return;
    const reports = this.store("reports");
    const begun: string[] = [];
    for await (const { name } of reports.listAll(`${FORGOTTEN}${mark}/`))
      if (name.endsWith(RESOURCES)) begun.push(...((await readJson(reports, name)) as string[]));
    const fresh = found.filter((one) => !begun.includes(one));
    if (fresh.length > 0)
      await reports.create(`${FORGOTTEN}${mark}/${now.getTime()}${RESOURCES}`, `${JSON.stringify(fresh)}\n`, {
        contentType: "application/json",
      });
    await stores.fhir.erase([...new Set([...begun, ...found])]);
  }

  private add(where: string, count: number): void {
    if (count > 0) this.objects[where] = (this.objects[where] ?? 0) + count;
  }

  /** That a watch rang stays; what it rang for goes, where it names a scan that goes: monitoring tells it anew without. */
  private async withoutNames(): Promise<void> {
    const details = new Set<string>();
    for (const { row } of await this.workspace.warehouse.rows("monitoring")) {
      if (row.name !== "alarm" || row.detail === null) continue;
      const { scans = [] } = JSON.parse(row.detail) as { readonly scans?: readonly string[] };
      if (scans.some((request) => this.requests.has(request))) details.add(row.detail);
    }
    if (details.size === 0) return;
    this.counted(
      "monitoring",
      await this.tables.empty("monitoring", ["detail"], { detail: details }, this.options.dry),
    );
  }

  /** Takes of a table what its definition says. */
  private async without(table: TableName): Promise<void> {
    const { of } = LAYOUTS[table];
    if (of === null) return;
    if (of !== "in part") this.counted(table, await this.tables.remove(table, this.rowsOf(of), this.options.dry));
    else if (table === "audit") await this.withoutLinks();
    else if (table === "monitoring") await this.withoutNames();
    else throw new Error(`What of the rows of ${table} goes when somebody is forgotten, nobody has said.`);
  }

  /** What each column has where a row is of what goes. */
  private rowsOf(of: Readonly<Record<string, Named>>): Values {
    const { ids, pictures, pseudonym } = this.found;
    const named: Readonly<Record<Named, ReadonlySet<string>>> = {
      ...{ image: ids, picture: pictures, request: this.requests, answer: this.answers },
      patient: new Set(pseudonym === undefined ? [] : [pseudonym]),
    };
    return Object.fromEntries(Object.entries(of).map(([column, what]) => [column, named[what]]));
  }

  /**
   * Writes down, before it is done, which leaves of the log of answers and acts lose their rows or find them changed: hashes
   * that say nothing without the salt, which goes with the row. Who verifies the log finds each of them here.
   */
  private async ownUp(): Promise<void> {
    if (this.options.dry) return;
    const leaves: string[] = [];
    const kept: string[] = [];
    for (const table of SEALED_TABLE_NAMES) {
      const { of } = LAYOUTS[table];
      const meant = of === null || of === "in part" ? this.linked() : this.rowsOf(of);
      for (const { row } of await this.workspace.warehouse.rows(table)) {
        const line = row as unknown as Line;
        if (!isMeant(line, meant)) continue;
        leaves.push(leafOfRow(table, row as SealedRow));
        // What stays of an act has lost what withoutLinks empties.
        if (table === "audit")
          kept.push(leafOfRow(table, { ...row, subject: null, sha256: null, salt: null } as unknown as SealedRow));
      }
    }
    if (leaves.length === 0) return;
    const { mark, now } = this.options;
    await writeErasure(
      { reports: this.store("reports"), warehouse: this.workspace.warehouse },
      mark,
      { leaves, kept },
      now,
    );
  }

  /** Rows of audit about what goes. */
  private linked(): Values {
    const { ids, pictures, names } = this.found;
    const folders = [...names].flatMap((name) => name.split("/").slice(1, -1));
    return {
      sha256: pictures,
      subject: new Set([...ids, ...this.answers, ...folders]),
      request: this.requests,
    };
  }

  /**
   * Who did what, when and in which role stays; to what it was done goes, and the salt: with it, whoever has the picture could
   * try what stood here against the leaf of the log.
   */
  private async withoutLinks(): Promise<void> {
    const count = await this.tables.empty("audit", ["subject", "sha256", "salt"], this.linked(), this.options.dry);
    this.counted("audit", count);
  }

  /** Shards without the rows: the new one is there before the old one goes. */
  private async shards(): Promise<void> {
    const processed = this.store("processed");
    const { ids, pictures } = this.found;
    const files = await ShardFiles.open(processed);
    try {
      for await (const { name, metadata } of processed.listAll()) {
        this.options.signal.throwIfAborted();
        if (name.startsWith("planning/")) {
          await this.erase(processed, name);
          continue;
        }
        if (!/\/part-[^/]*\.parquet$/.test(name)) {
          await this.text(processed, name, this.mentions());
          continue;
        }
        const rows = await files.rows(name);
        const left = rows.filter((row) => !ids.has(row.id) && !pictures.has(row.sha256));
        if (left.length === rows.length) continue;
        const current = shardName(left);
        if (!this.options.dry && left.length > 0 && current.split("/")[0] === name.split("/")[0]) {
          const planes = await files.planes(name, new Set(left.map(({ id }) => id)));
          const label = metadata.bucket === undefined ? undefined : { bucket: metadata.bucket };
          await files.write({ name: current, rows: left }, planes, label);
        }
        await this.erase(processed, name);
      }
    } finally {
      await files.close();
    }
  }

  /** What is kept of answers, and reports that speak of it. */
  private async kept(): Promise<void> {
    const reports = this.store("reports");
    const mentions = this.mentions();
    for await (const { name, metadata } of reports.listAll()) {
      this.options.signal.throwIfAborted();
      // Of a log, rows go and leaves stay: what it says of them is hashes, and which rows they were of.
      if (name.startsWith(FORGOTTEN) || name.startsWith(LOG_FOLDER)) continue;
      const [folder, first = ""] = name.split("/");
      const own = folder === "answers" && this.answers.has(first);
      if (own || mentions.in(name) || mentions.in(JSON.stringify(metadata))) await this.erase(reports, name);
      else if (!/\.(png|jpe?g|parquet|npy|bin)$/.test(name)) await this.text(reports, name, mentions);
    }
  }

  private mentions(): Mentions {
    const { ids, pictures, pseudonym, names } = this.found;
    const instances = [...names].map((name) => name.replace(/^.*\//, "").replace(/\.dcm$/, "")).filter(isUid);
    const hashes = [...ids, ...pictures, ...this.answers, ...this.requests, ...instances];
    return new Mentions(pseudonym === undefined ? hashes : [...hashes, pseudonym], names);
  }

  /** Of a table of lines, the lines go; of anything else, all of it. */
  private async text(store: ErasableStore, name: string, mentions: Mentions): Promise<void> {
    const text = (await store.read(name)).toString("utf8");
    if (!mentions.in(text)) return;
    if (/\.(csv|jsonl|ndjson)$/.test(name)) {
      const left = text.split("\n").filter((line) => !mentions.in(line));
      await this.replace(store, name, left.join("\n"));
      return;
    }
    if (!OF_ANSWERS.test(name)) this.reports.push(`${store.bucket}/${name}`);
    await this.erase(store, name);
  }

  private counted(table: TableName, count: number): void {
    if (count > 0) this.rows[table] = (this.rows[table] ?? 0) + count;
  }

  private async manifest(): Promise<void> {
    const landing = this.store("landing");
    const before = await landing.read(MANIFEST).catch((error: unknown) => {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    });
    if (before === undefined) return;
    const { objects, patient } = this.found;
    const after = withoutRows(before, (path, id) => objects.has(path) || (patient !== undefined && id === patient));
    if (!after.equals(before)) await this.replace(landing, MANIFEST, after);
    // Earlier ones may name what this one does not.
    else if (!this.options.dry) await landing.forgetEarlier(MANIFEST);
  }

  private async tombstone(): Promise<void> {
    if (this.options.dry) return;
    const { mark, now } = this.options;
    const content = {
      at: now.toISOString(),
      objects: this.objects,
      // Those of images go after this is written: by them the rest is found.
      rows: { ...this.rows, ...(this.found.ids.size > 0 ? { images: this.found.ids.size } : {}) },
      models: this.found.models,
    };
    await this.store("reports").create(
      `${FORGOTTEN}${mark}/${now.getTime()}.json`,
      `${JSON.stringify(content, null, 2)}\n`,
      { contentType: "application/json" },
    );
  }

  private async below(bucket: "quarantine", prefixes: readonly string[]): Promise<void> {
    const store = this.store(bucket);
    for (const prefix of prefixes) for await (const { name } of store.listAll(prefix)) await this.erase(store, name);
  }

  private async named(bucket: "curated" | "landing", names: Iterable<string>): Promise<void> {
    const store = this.store(bucket);
    for (const name of names) {
      this.options.signal.throwIfAborted();
      await this.erase(store, name);
    }
  }

  private async replace(store: ErasableStore, name: string, content: Buffer | string): Promise<void> {
    this.count(store);
    if (!this.options.dry) await replaceObject(store, name, content);
  }

  private async erase(store: ErasableStore, name: string): Promise<void> {
    if (this.options.dry ? await store.stat(name) : await store.forget(name)) this.count(store);
  }

  private count({ bucket }: ErasableStore): void {
    this.add(bucket, 1);
  }

  private store(bucket: keyof Place["buckets"]): ErasableStore {
    return erasable(this.workspace.buckets[bucket]);
  }
}

const isUid = (name: string) => /^2\.25\.\d+$/.test(name);
