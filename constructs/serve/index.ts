export { publicAccess, serveLine, serveProblems } from "./config";
export { LoadBalancer, type LoadBalancerProps } from "./load-balancer";
export type { Viewer } from "./permissions";
export { type PublicAccess, Serve, type ServeProps } from "./serve";
