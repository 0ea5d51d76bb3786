import { ComputeInstanceTemplate } from "@cdktf/provider-google/lib/compute-instance-template";
import { Construct } from "constructs";
import type { Bindings } from "../../runtime/platform/contract";
import { trainContract } from "../../runtime/train/contract";
import { bindEnvironment } from "../core/binding";
import type { ContainerImage } from "../core/container-image";
import type { GrantableTables } from "../core/declared-access";
import { Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import type { Gpu } from "../core/region-list";
import { readScript } from "../core/script";
import type { MachineNetwork } from "../network";
import type { KeyRefs } from "../security";
import type { BucketRefs } from "../storage";
import { DEFAULT_GPU } from "./config";
import { BOOT_IMAGE, machineType } from "./machine";
import { trainMonitoring } from "./monitoring";
import { grantTrain } from "./permissions";

export interface TrainProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  readonly image: ContainerImage;
  /** The environment variables of `runtime/train/contract.ts` that are no bucket's and no table's. */
  readonly bindings: Bindings<typeof trainContract>;
  /** Where the machine runs, without an external address. */
  readonly network: MachineNetwork;
  /** @default nvidia-l4 */
  readonly gpu?: Gpu;
  /**
   * A Spot machine: about a third of the price, and taken away when Google needs it.
   * @default false
   */
  readonly spot?: boolean;
}

/** https://cloud.google.com/compute/docs/instances/limit-vm-runtime */
export type TerminationAction = "DELETE" | "STOP";

/** Starting the machine, installing the driver and pulling the image, beside the work. */
const MACHINE_OVERHEAD_SECONDS = 1800;
const BOOT_DISK_GB = 100;

/**
 * The machine that trains, as a template: each machine made from it runs the training image once, with a GPU or not at all,
 * and is deleted when its time is over whatever happens to it.
 */
export class Train extends Construct {
  readonly identity: Identity;
  readonly template: ComputeInstanceTemplate;
  /** What the names of machines have to begin with, so that their alerts know them. */
  readonly machinePrefix: string;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: TrainProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, image, keys, network } = props;
    const places = { buckets, warehouse };
    const spot = props.spot ?? false;
    const gpu = props.gpu ?? DEFAULT_GPU;

    this.identity = new Identity(this, "identity", {
      hospital,
      role: trainContract.name,
      description: "Runs training machines",
    });
    const environment = bindEnvironment(trainContract, places, this.identity, props.bindings);
    grantTrain(this.identity, { hospital, places, image });

    this.machinePrefix = `${resourceName(hospital, trainContract.name)}-`;
    this.template = new ComputeInstanceTemplate(this, "template", {
      project: hospital.project,
      // A template cannot be changed: the next one needs another name while this one is there.
      namePrefix: this.machinePrefix,
      description: `Trains and evaluates a model for ${hospital.name}, then switches itself off`,
      machineType: machineType(trainContract, gpu),
      // G2, A2 and A3 machines come with it; written out all the same, it is what Google answers either way.
      guestAccelerator: [{ type: gpu, count: 1 }],
      scheduling: {
        provisioningModel: spot ? "SPOT" : "STANDARD",
        preemptible: spot,
        automaticRestart: false,
        // A machine with a GPU cannot be moved.
        onHostMaintenance: "TERMINATE",
        instanceTerminationAction: "DELETE" satisfies TerminationAction,
        maxRunDuration: { seconds: trainContract.resources.timeoutSeconds + MACHINE_OVERHEAD_SECONDS, nanos: 0 },
      },
      disk: [
        {
          boot: true,
          autoDelete: true,
          sourceImage: BOOT_IMAGE,
          // Of all these machines: a standard disk cannot start a G2 or an A3.
          diskType: "pd-balanced",
          diskSizeGb: BOOT_DISK_GB,
          diskEncryptionKey: { kmsKeySelfLink: keys.data.id },
          labels: dataClass("phi"),
        },
      ],
      ...(network.machineTags.length > 0 ? { tags: [...network.machineTags] } : {}),
      networkInterface: [{ subnetwork: network.subnet.selfLink, stackType: "IPV4_ONLY" }],
      serviceAccount: { email: this.identity.email, scopes: ["https://www.googleapis.com/auth/cloud-platform"] },
      shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
      canIpForward: false,
      metadata: {
        "enable-oslogin": "TRUE",
        "block-project-ssh-keys": "TRUE",
        "enable-guest-attributes": "TRUE",
        "google-logging-enabled": "true",
        "job-image": image.uri,
        "job-environment": environmentFile(environment),
        "job-scratch": scratchDirectory(environment),
        "startup-script": readScript("constructs/train/run-training.sh").text,
      },
      labels: dataClass("phi"),
      lifecycle: { createBeforeDestroy: true },
      dependsOn: [...keys.data.ready, ...network.ready],
    });
    runsAs(this.template, this.identity);
    this.monitoring = trainMonitoring(hospital, this.machinePrefix);
  }
}

/** Docker's form of an environment: a line a variable. */
function environmentFile(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([key, value]) => {
      if (/[\r\n]/.test(value))
        throw new Error(`${key} has a line break, which the training job's environment cannot.`);
      return `${key}=${value}`;
    })
    .join("\n");
}

function scratchDirectory(environment: Readonly<Record<string, string>>): string {
  return environment.SCRATCH_DIRECTORY ?? trainContract.env.shape.SCRATCH_DIRECTORY.parse(undefined);
}
