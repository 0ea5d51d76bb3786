export { Audit, type AuditProps } from "./audit";
