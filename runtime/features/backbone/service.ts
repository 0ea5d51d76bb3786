import { type Backbone, backboneUri, loadBackbone } from "../../backbone";
import { ShardFiles } from "../../dataset";
import { RECIPE } from "../../imaging";
import { type Answer, type Frame, frame } from "../../platform/framed";
import { type Extraction, type ExtractionContext, extractPart, planExtraction } from "./extraction";
import { ExtractionPool } from "./pool";
import { noteOf } from "./step";

/** What a picture costs beside others, in decoded bytes as the other steps count: its network is most of the work. */
const COST = 2 ** 20;

/**
 * What spark/deep.py and its tasks ask of this code, one frame a request.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | plan-extraction | | a frame a part (name, cost, images; payload: the part), then skipped and notes |
 * | extract | payload: the part | items |
 */
export class ExtractionService {
  private started: Promise<{ backbone: Backbone; pool: ExtractionPool; files: ShardFiles }> | undefined;

  /** @param uri of the backbone; undefined where none is named */
  constructor(
    private readonly context: ExtractionContext,
    private readonly uri: string | undefined,
  ) {}

  /** The answer, or undefined for a request that is not of this service. */
  async handle({ header, payload }: Frame): Promise<Answer | undefined> {
    if (header.type === "plan-extraction") return this.plan();
    if (header.type !== "extract") return undefined;
    this.started ??= this.start();
    const { backbone, pool, files } = await this.started;
    const part = JSON.parse(Buffer.from(payload).toString("utf8")) as Extraction;
    return frame({ items: await extractPart(this.context, files, pool, backbone.id, part) });
  }

  async close(): Promise<void> {
    const started = await this.started?.catch(() => undefined);
    await started?.files.close();
    await started?.pool.close();
  }

  private async start() {
    const uri = backboneUri(this.uri ?? "");
    const backbone = await loadBackbone(uri);
    // Spark starts a process on every core it has.
    const pool = await ExtractionPool.start(uri, backbone, 1);
    return { backbone, pool, files: await ShardFiles.open(this.context.processed) };
  }

  private async *plan(): AsyncGenerator<Frame> {
    const last = (rest: object) => frame({}, Buffer.from(JSON.stringify(rest)));
    if (this.uri === undefined) {
      yield last({ skipped: 0, notes: ["no backbone is named: set BACKBONE to the URI of one."] });
      return;
    }
    const backbone = await loadBackbone(this.uri);
    const { parts, skipped } = await planExtraction(this.context, backbone.id);
    for (const part of parts) {
      const images = part.pictures.length;
      const name = `${RECIPE.id}/${part.pictures[0]}`;
      yield frame({ name, cost: images * COST, images, more: true }, Buffer.from(JSON.stringify(part)));
    }
    yield last({ skipped, notes: [noteOf(backbone)] });
  }
}
