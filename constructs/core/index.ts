export { bindEnvironment } from "./binding";
export {
  ContainerImage,
  IMAGES,
  type ImageLock,
  type ImageName,
  type LockedImage,
  readImageLock,
} from "./container-image";
export { declaredAccess, grantDeclaredAccess } from "./declared-access";
export { Identity } from "./identity";
export { type DataClass, dataClass, type HospitalLabels, LABEL_VALUE, LabelAspect } from "./labels";
export * from "./monitoring";
export * from "./naming";
export { PROJECT_SERVICES, ProjectServices, type ProjectServicesProps } from "./project-services";
export { type Removal, type RemovalPolicy, removalPolicy } from "./removal";
export { type Bundle, bundleFiles, bundleRuntime, hashFiles, RuntimeBundle, zipFiles } from "./runtime-bundle";
export { logWriterMember, SERVICE_AGENTS, type ServiceAgent, serviceAgentMember } from "./service-agents";
