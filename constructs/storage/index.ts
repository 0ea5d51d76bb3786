export { AccessLogBucket, type AccessLogBucketProps } from "./access-log-bucket";
export { allowFolder, allowLogSink, BucketGrants, type BucketRef, type BucketRole } from "./bucket-grants";
export { storageLine, USAGE_LOGS, USAGE_LOGS_PURPOSE } from "./config";
export {
  type BucketRefs,
  HospitalBuckets,
  type HospitalBucketsProps,
  hospitalBucketsFromNames,
} from "./hospital-buckets";
export { storageMonitoring } from "./monitoring";
export { SecureBucket, type SecureBucketProps } from "./secure-bucket";
