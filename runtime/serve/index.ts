export { buildServer, type ServerDependencies } from "./app";
export { serveContract } from "./contract";
export {
  BadDelivery,
  checkDelivery,
  type DeliverySummary,
  deliverAnswers,
  Endpoint,
  type EndpointSettings,
  SIGNATURE,
  Signer,
} from "./delivery";
export { type FeedbackTaken, type FeedbackTaking, takeFeedback } from "./feedback-file";
export { Models } from "./models";
export { type ModelShelves, NotMoved, notComparable, promoteModel, rollBackModel, tryOut } from "./moves";
export { NoRequest, NothingToReplay, type Replay, replay } from "./replay";
export type { Comparison, Prediction, Promotion } from "./schemas";
export { type Callers, localCallers, type RunningServer, serveWorkspace } from "./server";
