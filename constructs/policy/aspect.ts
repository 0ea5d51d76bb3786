import type { IConstruct } from "constructs";
import { type IAspect, TerraformStack } from "../core/cdktf";
import { describeFinding, evaluatePolicy, openFindings, unknownAcknowledgements } from "./evaluate";
import { type Json, stackDocument } from "./stack-document";

/**
 * Applies the rule pack to the stack that it is attached to. The rules look at the finished JSON, so they run with the
 * stack's validations, after every aspect; a finding that is not acknowledged stops the synth.
 */
export class PolicyAspect implements IAspect {
  visit(node: IConstruct): void {
    if (!TerraformStack.isStack(node)) return;
    node.node.addValidation({
      validate: () => {
        const document = stackDocument(node.node.id, node.toTerraform() as Json);
        const findings = evaluatePolicy(document);
        return [...openFindings(findings).map(describeFinding), ...unknownAcknowledgements(document)];
      },
    });
  }
}
