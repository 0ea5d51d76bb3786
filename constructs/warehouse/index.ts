export { warehouseLine } from "./config";
export { warehouseMonitoring } from "./monitoring";
export { Warehouse, type WarehouseProps } from "./warehouse";
