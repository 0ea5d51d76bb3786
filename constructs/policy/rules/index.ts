import type { Rule } from "../rule";
import { computeRules } from "./compute";
import { dataprocRules } from "./dataproc";
import { encryptionRules } from "./encryption";
import { healthcareRules } from "./healthcare";
import { identityRules } from "./identity";
import { networkRules } from "./network";
import { projectRules } from "./project";
import { serverlessRules } from "./serverless";
import { storageRules } from "./storage";

/** Every rule, in the order in which they are listed. */
export const RULES: readonly Rule[] = [
  ...identityRules,
  ...storageRules,
  ...encryptionRules,
  ...healthcareRules,
  ...networkRules,
  ...serverlessRules,
  ...dataprocRules,
  ...computeRules,
  ...projectRules,
];

const byId = new Map(RULES.map((rule) => [rule.id, rule]));

export const findRule = (id: string): Rule | undefined => byId.get(id);
