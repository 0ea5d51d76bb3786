import { z } from "zod";
import { atMostHourly, isCron, isTimeZone, longestGapDays } from "../core/cron";
import { type Filled, linePart } from "../core/hospital-line";

/** In place of times: nothing starts by itself. */
export const NEVER = "none";
/** Longer without a run than that, and nobody could tell a workflow that is broken from one that rests. */
const LONGEST_DAYS = 28;

const times = (example: string) =>
  z
    .string()
    .refine((text) => text === NEVER || (isCron(text) && atMostHourly(text) && longestGapDays(text) <= LONGEST_DAYS))
    .optional()
    .describe(
      `five fields of cron with one minute and at most ${LONGEST_DAYS} days between two times, such as ${example}; or ${NEVER}`,
    );

/** `schedule` of a hospital's line. */
export const scheduleLine = linePart({
  schema: z.strictObject({
    daily: times("0 3 * * *"),
    sealing: times("17 * * * *"),
    timeZone: z.string().refine(isTimeZone).optional().describe("a time zone such as Europe/Vienna"),
  }),
  purpose: {
    daily:
      "When the workflow starts that preprocesses, scores and watches what is new. `none`: when a person starts it. In tier ephemeral the schedule is made and paused.",
    sealing:
      "When rows of answers and acts become leaves of the signed log (docs/audit.md): what no seal has taken is not protected. In tier ephemeral there is none.",
    timeZone: "Where these hours are read from the clock.",
  },
  defaults: {
    prod: { daily: "0 3 * * *", sealing: "17 * * * *", timeZone: "Etc/UTC" },
    test: { daily: "0 3 * * *", sealing: "17 */6 * * *", timeZone: "Etc/UTC" },
    ephemeral: { daily: "0 3 * * *", sealing: NEVER, timeZone: "Etc/UTC" },
  },
});

export type ScheduleOf = Filled<typeof scheduleLine>;
