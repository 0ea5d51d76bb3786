import { z } from "zod";
import { type Filled, inEveryTier, linePart } from "../core/hospital-line";

export const EMAILS = z
  .array(z.email().describe("an e-mail address"))
  .max(16)
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of at most 16 e-mail addresses, each once");

/** What a hospital's line says of who is told. */
export const alertsLine = linePart({
  schema: z.strictObject({ alertEmails: EMAILS.optional() }),
  purpose: { alertEmails: "Who is written to when an alert fires. With nobody, incidents stand in the console alone." },
  defaults: inEveryTier({ alertEmails: [] }),
});

const PERCENT = (least: number) =>
  z.number().min(least).max(99.99).optional().describe(`a percentage from ${least} to 99.99`);

/** `objectives` of a hospital's line: what people may rely on. */
export const objectivesLine = linePart({
  schema: z.strictObject({
    // An alert fires at 14.4 times the rate that lasts, which less than 93 % could never reach.
    availability: PERCENT(95),
    latency: PERCENT(95),
    latencySeconds: z.number().min(0.1).max(60).optional().describe("seconds from 0.1 to 60"),
    freshness: PERCENT(95),
    freshnessMinutes: z.int().min(1).max(1440).optional().describe("a whole number from 1 to 1440"),
  }),
  purpose: {
    availability: "Answers of the service without an error of the server (5xx), of 100, over 30 days.",
    latency: "Answers of the service within `objectives.latencySeconds`, of 100, over 30 days.",
    latencySeconds: "How long an answer may take.",
    freshness: "Of 100 five-minute windows those in which no scan waits longer than `objectives.freshnessMinutes`.",
    freshnessMinutes: "How long a scan that landed may wait before it is ingested.",
  },
  defaults: {
    prod: { availability: 99, latency: 95, latencySeconds: 5, freshness: 99, freshnessMinutes: 15 },
    test: { availability: 95, latency: 95, latencySeconds: 10, freshness: 95, freshnessMinutes: 60 },
    ephemeral: { availability: 95, latency: 95, latencySeconds: 10, freshness: 95, freshnessMinutes: 60 },
  },
});

export type ObjectivesOf = Filled<typeof objectivesLine>;
