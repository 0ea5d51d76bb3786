export { dashboardJson } from "./dashboard";
export { Observability, type ObservabilityProps } from "./observability";
