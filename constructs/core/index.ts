export { bindEnvironment } from "./binding";
export { declaredAccess, grantDeclaredAccess } from "./declared-access";
export { Identity } from "./identity";
export { type DataClass, dataClass, type HospitalLabels, LABEL_VALUE, LabelAspect } from "./labels";
export * from "./naming";
export { PROJECT_SERVICES, ProjectServices } from "./project-services";
export { type Removal, type RemovalPolicy, removalPolicy } from "./removal";
export { type Bundle, bundleFiles, bundleRuntime, hashFiles, RuntimeBundle, zipFiles } from "./runtime-bundle";
export { SERVICE_AGENTS, type ServiceAgent, serviceAgentMember } from "./service-agents";
