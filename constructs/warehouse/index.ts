export { warehouseLine } from "./config";
export { warehouseMonitoring } from "./monitoring";
export { LAYOUTS, type TableLayout, tableSchema } from "./table-schema";
export { VIEWS, type ViewDefinition } from "./views";
export { Warehouse, type WarehouseProps } from "./warehouse";
