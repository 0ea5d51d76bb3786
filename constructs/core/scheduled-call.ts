import { CloudSchedulerJob } from "@cdktf/provider-google/lib/cloud-scheduler-job";
import { Construct } from "constructs";
import { Fn, type ITerraformDependable } from "./cdktf";
import { type Identity, runsAs } from "./identity";
import { type HospitalRef, resourceName } from "./naming";

export interface ScheduledCallProps {
  readonly hospital: HospitalRef;
  /** After the hospital's name, e.g. `daily`: unique among the hospital's schedules. */
  readonly name: string;
  /** What is started, for whoever reads the console. */
  readonly description: string;
  /** One that `isCron`. */
  readonly schedule: string;
  /** Of the IANA database, such as Europe/Vienna. */
  readonly timeZone: string;
  /** Whether nothing is called until somebody resumes it. */
  readonly paused: boolean;
  /** A Google API that is called by POST. */
  readonly uri: string;
  /** @default an empty object */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Who calls. It has no other use. */
  readonly identity: Identity;
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** What a call to start something may take: it answers once it is started, not once it is done. */
const DEADLINE = "180s";
/** Five tries, within half an hour: a quota or a restart of the API is over by then, a missing right is not. */
const RETRIES = {
  retryCount: 4,
  maxRetryDuration: "1800s",
  minBackoffDuration: "30s",
  maxBackoffDuration: "600s",
  maxDoublings: 4,
};

/** A call to one of Google's APIs at its time, as an identity of its own. What Cloud Scheduler fills in is written out. */
export class ScheduledCall extends Construct {
  readonly job: CloudSchedulerJob;

  constructor(scope: Construct, id: string, props: ScheduledCallProps) {
    super(scope, id);
    const { hospital, identity } = props;
    this.job = new CloudSchedulerJob(this, "job", {
      project: hospital.project,
      region: hospital.region,
      name: resourceName(hospital, props.name),
      description: props.description,
      schedule: props.schedule,
      timeZone: props.timeZone,
      paused: props.paused,
      attemptDeadline: DEADLINE,
      retryConfig: RETRIES,
      httpTarget: {
        httpMethod: "POST",
        uri: props.uri,
        headers: { "Content-Type": "application/json" },
        body: Fn.base64encode(Fn.rawString(JSON.stringify(props.body ?? {}))),
        oauthToken: {
          serviceAccountEmail: identity.email,
          scope: "https://www.googleapis.com/auth/cloud-platform",
        },
      },
      dependsOn: [...(props.dependsOn ?? [])],
    });
    runsAs(this.job, identity);
  }
}
