export type { Member, NamedCallers, Viewer } from "./callers";
export { namedCallers, publicAccess, serveLine, serveProblems } from "./config";
export { LoadBalancer, type LoadBalancerProps } from "./load-balancer";
export { Release, type ReleaseProps, releaserRoles } from "./release";
export { type PublicAccess, Serve, type ServeProps } from "./serve";
