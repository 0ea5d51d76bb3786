export { warehouseLine } from "./config";
export { warehouseMonitoring } from "./monitoring";
export { appenderRole, warehouseFromNames } from "./table-grants";
export { Warehouse, type WarehouseProps } from "./warehouse";
