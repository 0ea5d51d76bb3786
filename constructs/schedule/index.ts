export { NEVER, type ScheduleOf, scheduleLine } from "./config";
export { Schedule, type ScheduleProps, starterRole } from "./schedule";
