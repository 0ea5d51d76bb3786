export { alertsLine, EMAILS } from "./config";
export { dashboardJson } from "./dashboard";
export { Observability, type ObservabilityProps } from "./observability";
