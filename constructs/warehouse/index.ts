export { warehouseLine } from "./config";
export { warehouseMonitoring } from "./monitoring";
export { FINE_GRAINED_READER } from "./pseudonym-tag";
export { appenderRole, warehouseFromNames } from "./table-grants";
export { Warehouse, type WarehouseProps } from "./warehouse";
