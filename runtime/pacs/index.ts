export { type InstanceSource, openDicomStore } from "./dicom-store";
export { type Landed, landInstance } from "./land";
export { fromNotification, type StoredInstance } from "./notification";
