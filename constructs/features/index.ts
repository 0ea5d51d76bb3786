export { Features, type FeaturesProps } from "./features";
