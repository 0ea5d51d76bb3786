/** What another team's app imports from the package: see docs/upgrade.md for what of it counts as stable. */
export { ConfigurationError } from "../runtime/platform/config";
export { type AppOptions, buildApp } from "./app";
export { BootstrapStack } from "./bootstrap-stack";
export { type Hospital, type HospitalContext, type HospitalLine, parseHospitals } from "./config";
export { HospitalAppStack } from "./hospital-app-stack";
export { HospitalDataStack } from "./hospital-data-stack";
export { type ImageLock, readImageLock } from "./images";
export { type Platform, type PlatformLine, parsePlatform } from "./platform-config";
export { PlatformStack } from "./platform-stack";
