import { RECIPE } from "../imaging";
import { type Frame, frame } from "../platform/framed";
import type { Logger } from "../platform/logging";
import { dayOf, laterDay } from "./days";
import { WINDOW_DAYS } from "./report";
import { markOf, RAN, SIGNALS, type Signal, type SignalKind } from "./signals";
import { type MonitorContext, monitorDays, NothingToMonitorError } from "./step";
import { describeMonitored } from "./words";

/**
 * What the driver spark/monitor.py asks of this code, one frame a request.
 *
 * | request (type) | answer |
 * | --- | --- |
 * | hello | recipe |
 * | monitor | items: days whose rows were stored; skipped: days that stood as they are; rejected: 0; notes: sentences |
 */
export class MonitorService {
  /** @param now the time of day; another one in tests */
  constructor(
    private readonly context: MonitorContext & {
      readonly log: Logger;
      /** Whose tables these are, as lines of the log name them. */
      readonly place: string;
    },
    private readonly now: () => Date = () => new Date(),
  ) {}

  async handle({ header }: Frame): Promise<Frame> {
    switch (header.type) {
      case "hello":
        return frame({ recipe: RECIPE.id });
      case "monitor":
        return frame(await this.monitor());
      default:
        throw new Error(`There is no request of the type ${JSON.stringify(header.type)}.`);
    }
  }

  async close(): Promise<void> {}

  /** A hospital without a model yet has nothing wrong with it. */
  private async monitor() {
    const now = this.now();
    const to = dayOf(now);
    const { log, place } = this.context;
    try {
      const tell = ({ name, day }: Signal) => {
        const { advice } = SIGNALS.find((kind) => kind.name === name) as SignalKind;
        log.warn(`${markOf(place, name)} ${day}: ${advice}`);
      };
      const monitored = await monitorDays(this.context, { from: laterDay(to, 1 - WINDOW_DAYS), to, now, tell });
      const { changed } = monitored;
      log.info(markOf(place, RAN));
      const notes = describeMonitored(monitored).trimEnd().split("\n");
      return { items: changed, skipped: WINDOW_DAYS - changed, rejected: 0, notes };
    } catch (error) {
      if (!(error instanceof NothingToMonitorError)) throw error;
      log.info(markOf(place, RAN));
      return { items: 0, skipped: 0, rejected: 0, notes: [error.message] };
    }
  }
}
