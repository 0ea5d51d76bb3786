import { z } from "zod";
import { modelIdSchema, named } from "./schemas";

/** The JSON of `GET /v1/monitoring`: as schemas.ts, of which it is a part. */

const day = z.iso.date().describe("YYYY-MM-DD, UTC");
const count = z.int().min(0);

export const monitoringQuerySchema = z.object({
  model: modelIdSchema.optional().describe("The current one without it"),
  from: z.iso
    .date()
    .optional()
    .describe("First day, YYYY-MM-DD in UTC; 29 days before the last without it, and 365 at most"),
  to: z.iso.date().optional().describe("Last day; today without it"),
});

/** An accuracy of the 30 days to a day. */
export const monitoredShareSchema = named(
  "MonitoredShare",
  z.union([
    z.object({
      value: z.number(),
      low: z.number().describe("Of the 95 % interval"),
      high: z.number(),
      scans: count,
    }),
    z.object({ value: z.null(), reason: z.string().describe("Why it is not known"), scans: count }),
  ]),
);
export type MonitoredShare = z.infer<typeof monitoredShareSchema>;

export const monitoredAlarmSchema = named(
  "MonitoredAlarm",
  z.object({
    day,
    watch: z.enum(["input", "prediction", "feedback"]),
    since: day.describe("First day of the stretch that speaks for a change"),
    standing: z.boolean().describe("Whether it lies within 30 days of the last day that is told of"),
    sentence: z.string(),
    advice: z.string().describe("What to do"),
    drivers: z.array(
      z.object({ statistic: z.string(), direction: z.string(), share: z.number().describe("Of the evidence, 0 to 1") }),
    ),
    scans: z
      .array(
        z.object({
          request: z.string(),
          id: z
            .string()
            .nullable()
            .describe("Of the answer, under which its page is kept for a while; null: nobody sent it to this service"),
          sha256: z
            .string()
            .nullable()
            .describe("Of the picture: curated/images/SHA256.png where it is in the data set"),
        }),
      )
      .describe("Those that speak most for it"),
  }),
);
export type MonitoredAlarm = z.infer<typeof monitoredAlarmSchema>;

const evidence = z.number().nullable().describe("Over what an alarm needs: 1 rings. Null: the watch had not begun");
export const monitoredDaySchema = named(
  "MonitoredDay",
  z.object({
    day,
    answers: count,
    uncertain: z.number().nullable().describe("Share of the answers referred to a person; null: there was none"),
    quarantined: z.array(z.object({ reason: z.string().nullable(), pages: count })),
    refused: z.array(z.object({ code: z.string(), requests: count })).describe("Requests for a prediction: 4xx"),
    failed: z.array(z.object({ code: z.string(), requests: count })).describe("The same: 5xx"),
    latency: z
      .object({ median: z.number(), p95: z.number(), answers: count })
      .nullable()
      .describe("Milliseconds from the end of the upload until the answer was ready; null: nobody waited for one"),
    evidence: z.object({ input: evidence, prediction: evidence, feedback: evidence }),
    estimated: monitoredShareSchema.nullable(),
    feedback: monitoredShareSchema.nullable(),
    psi: z.number().nullable().describe("Of the log odds over 30 days: a description, never an alarm"),
    revision: z.int().min(1).describe("How often the day was told anew"),
    computed_at: z.iso.datetime(),
  }),
);
export type MonitoredDay = z.infer<typeof monitoredDaySchema>;

export const monitoringSchema = named(
  "Monitoring",
  z.object({
    model: z.string(),
    current: z.boolean(),
    from: day,
    to: day,
    state: z
      .enum(["alarm", "late", "untold", "quiet"])
      .describe("late: nothing is told of the last days; untold: of none of the days"),
    sentence: z.string().describe("What is to be known first, for a person"),
    todo: z.array(z.string()).describe("What to do, sentences"),
    alarms: z.array(monitoredAlarmSchema).describe("Of the days, and those that stand: the newest first"),
    accuracy: z
      .object({
        day: day.describe("The last that is told of"),
        estimated: monitoredShareSchema.nullable().describe("Without labels"),
        feedback: monitoredShareSchema.nullable().describe("Where people gave a label"),
        parts: z.array(
          z.object({
            by: z.string().describe("scanner, view, subtype or collection"),
            value: z.string(),
            estimated: monitoredShareSchema.nullable(),
            feedback: monitoredShareSchema.nullable(),
          }),
        ),
      })
      .nullable()
      .describe("Over the 30 days to a day; null: nothing is told"),
    days: z.array(monitoredDaySchema).describe("In their order; a day of which nothing is told is not among them"),
    disclaimer: z.string(),
  }),
);
export type Monitoring = z.infer<typeof monitoringSchema>;
