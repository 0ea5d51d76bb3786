import { z } from "zod";

/** People, groups and accounts that a person names in a line. */
export const MEMBERS = z
  .array(
    z
      .string()
      .regex(/^(?:user|group|serviceAccount):[^\s@]+@[^\s@]+$/)
      .describe("group:NAME, user:NAME or serviceAccount:NAME, each with an e-mail address"),
  )
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of IAM members such as group:analysts@example.org, each once");
