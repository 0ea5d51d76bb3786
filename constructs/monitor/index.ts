export { Monitor, type MonitorProps } from "./monitor";
