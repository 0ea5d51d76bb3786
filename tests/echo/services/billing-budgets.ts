import { recordOf } from "../json";
import { resourceService } from "../resources";
import { uuid } from "../uuid";

/** https://cloud.google.com/billing/docs/reference/budget/rest */
export const budgets = resourceService({
  name: "billingbudgets",
  endpoints: { BILLING: "v1" },
  kinds: [
    {
      collection: "billingAccounts/*/budgets",
      id: (_request, world) => uuid(`budget ${world.store.next()}`),
      complete: (budget, { name }) => {
        const amount = recordOf(budget.amount);
        const { specifiedAmount } = amount;
        const filter = recordOf(budget.budgetFilter);
        return {
          ...budget,
          name,
          // The currency is the billing account's.
          ...(specifiedAmount === undefined
            ? {}
            : { amount: { ...amount, specifiedAmount: { currencyCode: "EUR", ...recordOf(specifiedAmount) } } }),
          budgetFilter: { calendarPeriod: "MONTH", creditTypesTreatment: "INCLUDE_ALL_CREDITS", ...filter },
          // Of a budget that tells nobody but the administrators, too.
          notificationsRule: recordOf(budget.notificationsRule),
          etag: "1",
        };
      },
    },
  ],
});
