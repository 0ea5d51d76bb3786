export { alertsLine, EMAILS, type ObjectivesOf, objectivesLine } from "./config";
export { dashboardJson } from "./dashboard";
export { Observability, type ObservabilityProps } from "./observability";
