import { InvalidArgumentError, Option } from "commander";
import type { z } from "zod";
import { parseLabels } from "../intake";
import { LOOPBACK } from "../platform/port";
import { PREVALENCE_FORM, parsePrevalence } from "../platform/prevalence";
import { DEFAULT_WORKSPACE } from "../platform/workspace";
import { BACKENDS } from "../tensorflow/backend-names";
import { portNumber, wholeNumber } from "./command-line";

/** Options that several commands share: each is described once. */

export const out = () => new Option("--out <dir>", "workspace").default(DEFAULT_WORKSPACE);
export const seed = () =>
  new Option("--seed <n>", "decides everything that is drawn by chance").argParser(wholeNumber());
export const epochs = () =>
  new Option(
    "--epochs <n>",
    "times that every training image is seen; 60 by default, more where there are few",
  ).argParser(wholeNumber(1));
export const backend = () =>
  new Option("--backend <name>", "TensorFlow.js backend; default: the best present").choices(BACKENDS);
export const port = () =>
  new Option("--port <n>", "port to listen on; 0: a free one").argParser(portNumber).env("PORT");
export const host = () =>
  new Option("--host <address>", "address to listen on; another than this machine's own needs AUTH")
    .default(LOOPBACK)
    .env("HOST");

export const keepDays = () =>
  new Option("--keep-days <n>", "days that pixels and maps of answers are kept (30)")
    .argParser(wholeNumber(1))
    .env("KEEP_DAYS");

export const prevalence = () =>
  new Option(
    "--prevalence <share>",
    "share of Cancer among the scans that are sent, such as 0.05; answers are restated for it and decided as before",
  )
    .argParser((text) => {
      const share = parsePrevalence(text);
      if (share === undefined) throw new InvalidArgumentError(`It must be ${PREVALENCE_FORM}.`);
      return share;
    })
    .env("PREVALENCE");

export const labels = () =>
  new Option("--labels <pairs>", "what folders of other names hold: yes=Cancer,no=Non-Cancer").argParser((text) => {
    try {
      return parseLabels(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  });
export const check = () =>
  new Option("--check", "only look at --data and say what would become of it; nothing is changed");
export const add = () =>
  new Option("--add", "put these scans to others that are in the workspace: one model learns from all of them");

export const DEFAULT_PORT = 8080;

/** A model that is named, or what may stand for one. */
export const modelOption = (flags: string, what: string, schema: z.ZodType<string | undefined>) =>
  new Option(flags, what).argParser((text) => {
    const { data, error } = schema.safeParse(text);
    if (data === undefined) throw new InvalidArgumentError(`"${text}" ${error?.issues[0]?.message}.`);
    return data;
  });
