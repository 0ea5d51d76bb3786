import { BillingBudget } from "@cdktf/provider-google/lib/billing-budget";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";

export interface BudgetProps {
  /** What it is called in Cloud Billing. */
  readonly displayName: string;
  /** `000000-000000-000000` */
  readonly billingAccount: string;
  readonly projectNumber: string;
  /** Whole units of the billing account's currency, a month. */
  readonly amount: number;
  /**
   * Ids of notification channels beside the administrators of the billing account.
   * @default none
   */
  readonly channels?: readonly string[];
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** Shares of the amount at which somebody is told: spent, or as the month is going. */
const THRESHOLDS = [
  { thresholdPercent: 0.5, spendBasis: "CURRENT_SPEND" },
  { thresholdPercent: 0.9, spendBasis: "CURRENT_SPEND" },
  { thresholdPercent: 1, spendBasis: "CURRENT_SPEND" },
  { thresholdPercent: 1.2, spendBasis: "FORECASTED_SPEND" },
] as const;

/** Tells when a project costs more than it should. It stops nothing: limits on instances and run times do that. */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    const channels = props.channels ?? [];
    new BillingBudget(this, "monthly", {
      billingAccount: props.billingAccount,
      displayName: props.displayName,
      // Without a currency it is the billing account's; another one is refused.
      amount: { specifiedAmount: { units: String(props.amount) } },
      budgetFilter: {
        projects: [`projects/${props.projectNumber}`],
        calendarPeriod: "MONTH",
        creditTypesTreatment: "INCLUDE_ALL_CREDITS",
      },
      thresholdRules: THRESHOLDS.map((rule) => ({ ...rule })),
      dependsOn: [...(props.dependsOn ?? [])],
      ...(channels.length > 0
        ? {
            allUpdatesRule: {
              monitoringNotificationChannels: [...channels],
              disableDefaultIamRecipients: false,
              enableProjectLevelRecipients: false,
              schemaVersion: "1.0",
            },
          }
        : {}),
    });
  }
}
