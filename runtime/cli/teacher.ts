import { existsSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { ConfigurationError } from "../platform/config";
import { wholeNumber } from "./command-line";

/** Where npm run setup:backbone puts what it brings, below where the command is run. */
const BROUGHT = join(".parts", "backbones", "efficientnet-lite0");

export interface TeacherFlags {
  readonly teacher?: string | true | undefined;
  readonly teacherEpochs?: number | undefined;
  readonly serveTeacher?: true | undefined;
}

export const teacher = () =>
  new Option(
    "--teacher [uri]",
    "let a pretrained network learn first and teach the model: the folder of its backbone.json; default: what npm run setup:backbone brought",
  );
export const teacherEpochs = () =>
  new Option(
    "--teacher-epochs <n>",
    "times that the teacher sees every training image; 10 by default, more where there are few",
  ).argParser(wholeNumber(1));

export const serveTeacher = () =>
  new Option(
    "--serve-teacher",
    "make the teacher itself the model, in place of the compact network that it teaches: 2.5 times the processor time of an answer with the default backbone",
  );

/**
 * What --teacher, --teacher-epochs and --serve-teacher say.
 *
 * @throws {ConfigurationError} where no backbone is named and none was brought
 */
export function taughtBy({ teacher: backbone, teacherEpochs: epochs, serveTeacher: itself }: TeacherFlags): {
  readonly teacher?: { readonly backbone: string; readonly epochs?: number; readonly serves?: "teacher" };
} {
  if (backbone === undefined) {
    const [alone] = [...(epochs === undefined ? [] : ["--teacher-epochs"]), ...(itself ? ["--serve-teacher"] : [])];
    if (alone === undefined) return {};
    throw new ConfigurationError(alone, ["there is no --teacher beside it: nothing else has a teacher."]);
  }
  if (backbone === true && !existsSync(join(BROUGHT, "backbone.json")))
    throw new ConfigurationError("--teacher", [
      `no backbone is named, and there is none in ${BROUGHT}. Run npm run setup:backbone, or name the folder of a backbone.json: --teacher URI.`,
    ]);
  return {
    teacher: {
      backbone: backbone === true ? BROUGHT : backbone,
      ...(epochs === undefined ? {} : { epochs }),
      ...(itself ? { serves: "teacher" as const } : {}),
    },
  };
}
