import { TerraformResource, TerraformStack } from "../core/cdktf";
import { findRule } from "./rules";
import { isReason } from "./stack-document";

/**
 * Accepts a rule's finding, with the reason that a reviewer reads. It stands in the synthesized JSON, where
 * `npm run policy` lists it.
 * @param scope a resource; or a stack, for all findings of the rule in it
 * @throws if there is no such rule or no reason.
 */
export function acknowledge(scope: TerraformResource | TerraformStack, ruleId: string, reason: string): void {
  if (!findRule(ruleId))
    throw new Error(`There is no policy rule "${ruleId}": "npm run policy -- --rules" lists them.`);
  if (!isReason(reason))
    throw new Error(`The acknowledgement of ${ruleId} needs a reason that a reviewer can judge, not "${reason}".`);
  if (TerraformResource.isTerraformResource(scope) || TerraformStack.isStack(scope))
    scope.addOverride(`//.acknowledged.${ruleId}`, reason);
}
