import type { Construct } from "constructs";
import { Audit } from "../constructs/audit";
import { Annotations, TerraformOutput } from "../constructs/core/cdktf";
import { ContainerImage } from "../constructs/core/container-image";
import { bucketName, datasetId } from "../constructs/core/naming";
import { bundleRuntime } from "../constructs/core/runtime-bundle";
import { Deliver, receiverOf } from "../constructs/deliver";
import { Features } from "../constructs/features";
import { Gateway } from "../constructs/gateway";
import { Ingest } from "../constructs/ingest";
import { Monitor } from "../constructs/monitor";
import { Network, networkMonitoring, SharedNetwork } from "../constructs/network";
import { Observability } from "../constructs/observability";
import { Pacs } from "../constructs/pacs";
import { acknowledge } from "../constructs/policy";
import { Preprocess } from "../constructs/preprocess";
import { Retrain } from "../constructs/retrain";
import { Schedule } from "../constructs/schedule";
import { Score } from "../constructs/score";
import { hospitalKeysFromNames, keysMonitoring } from "../constructs/security";
import { Serve } from "../constructs/serve";
import { hospitalBucketsFromNames, SecureBucket, storageMonitoring } from "../constructs/storage";
import { noTraining, Train } from "../constructs/train";
import { warehouseFromNames, warehouseMonitoring } from "../constructs/warehouse";
import { BaseStack, hospitalSettings, keyChoice } from "./base-stack";
import type { Hospital } from "./config";
import { letDeliveryIntoCode } from "./delivery-access";
import { deliveryMember } from "./delivery-names";
import { IMAGE_CONTRACTS, type ImageLock, type ImageName } from "./images";
import { auditArchiveName, type Platform } from "./platform-config";

const SERVE_URI = "The prediction service; it answers inside the project, and people through the load balancer";

/**
 * What works on a hospital's data and holds none but events that wait; these alone are protected. It knows the data
 * stack's keys and buckets by their names, so neither stack reads the other's state.
 */
export class HospitalAppStack extends BaseStack {
  readonly ingest: Ingest;
  /** Undefined where the line says nobody who signs in as it. */
  readonly gateway: Gateway | undefined;
  /** Undefined where the line asks for none. */
  readonly pacs: Pacs | undefined;
  /** Undefined where the line has neither a FHIR store nor a receiver. */
  readonly deliver: Deliver | undefined;
  readonly preprocess: Preprocess;
  /** Undefined until its image is there. */
  readonly train: Train | undefined;
  /** Undefined where there is no training machine, or the line wants none. */
  readonly retrain: Retrain | undefined;
  /** Undefined until its image is there. */
  readonly serve: Serve | undefined;
  readonly observability: Observability;

  constructor(scope: Construct, hospital: Hospital, platform: Platform, images: ImageLock) {
    super(scope, `${hospital.name}-app`, hospitalSettings(hospital, "code"));
    const logLevel = hospital.tier === "prod" ? "info" : "debug";
    const keys = hospitalKeysFromNames(hospital, keyChoice(hospital, platform));
    const buckets = hospitalBucketsFromNames(hospital, keys.data);
    const warehouse = warehouseFromNames(hospital, { sharedProject: hospital.tier === "ephemeral" });

    const source = new SecureBucket(this, "source", {
      hospital,
      name: bucketName(hospital, "source"),
      key: keys.data,
      // Every object in it is made again by the next deploy.
      removal: "destroy",
      dataClass: "code",
      noncurrentDays: 30,
    });

    if (hospital.tier !== "ephemeral" && platform.repository) letDeliveryIntoCode(this, hospital, source);

    this.ingest = new Ingest(this, "ingest", {
      hospital,
      buckets,
      warehouse,
      keys,
      source,
      maxInstances: hospital.ingest.maxInstances,
      removal: hospital.removal,
      objectives: hospital.objectives,
      bindings: {
        PSEUDONYM_KEY: keys.pseudonym.uri,
        BURNED_IN_TEXT: hospital.ingest.burnedInText,
        LOG_LEVEL: logLevel,
      },
    });

    const { removal } = hospital;
    const ofAnswers = { hospital, buckets, warehouse, source, maxInstances: hospital.ingest.maxInstances, removal };
    if (hospital.pacs)
      this.pacs = new Pacs(this, "pacs", {
        ...ofAnswers,
        keys,
        senders: hospital.pacsSenders,
        bindings: { PSEUDONYM_KEY: keys.pseudonym.uri, LOG_LEVEL: logLevel },
      });

    const { principal } = hospital.gateway;
    if (principal) this.gateway = new Gateway(this, "gateway", { hospital, buckets, keys, principal });

    const { shared } = hospital.network;
    const network = shared
      ? new SharedNetwork(hospital, shared)
      : new Network(this, "network", { hospital, ...hospital.network });
    if (shared)
      acknowledge(
        this,
        "own-network",
        `The line's network.shared names a network of ${shared.project}: what it lets through is for its administrators to keep.`,
      );
    const receiver = receiverOf(hospital.delivery);
    if (hospital.pacs || receiver)
      this.deliver = new Deliver(this, "deliver", {
        ...ofAnswers,
        key: keys.data,
        fhirStore: hospital.pacs !== undefined,
        outside: receiver && network instanceof Network ? { receiver, network } : undefined,
        bindings: { LOG_LEVEL: logLevel },
      });
    this.preprocess = new Preprocess(this, "preprocess", {
      hospital,
      buckets,
      warehouse,
      keys,
      source,
      network,
      ...hospital.preprocess,
      bindings: { LOG_LEVEL: logLevel },
    });
    const onCluster = { buckets, warehouse, source, preprocess: this.preprocess, bindings: { LOG_LEVEL: logLevel } };
    new Score(this, "score", onCluster);
    const schedule = new Schedule(this, "schedule", {
      hospital,
      preprocess: this.preprocess,
      ...hospital.schedule,
      paused: hospital.tier === "ephemeral",
    });
    const monitor = new Monitor(this, "monitor", { ...onCluster, hospital, gapDays: schedule.gapDays });
    const { backbone } = hospital.features;
    new Features(this, "features", {
      ...onCluster,
      bindings: { LOG_LEVEL: logLevel, ...(backbone === undefined ? {} : { BACKBONE: backbone }) },
    });

    const { gpu, spot, teacher, serves, epochs } = hospital.train;
    if (!gpu) Annotations.of(this).addWarning(noTraining(hospital));
    const trainImage = gpu && this.image("train", images);
    if (trainImage)
      this.train = new Train(this, "train", {
        hospital,
        buckets,
        warehouse,
        keys,
        network,
        gpu,
        spot,
        image: trainImage,
        bindings: {
          LOG_LEVEL: logLevel,
          ...(teacher === undefined ? {} : { TEACHER: teacher }),
          ...(serves === undefined ? {} : { SERVES: serves }),
          ...(epochs === undefined ? {} : { EPOCHS: String(epochs) }),
        },
      });

    const { enabled, everyDays, newScans, onAlarm, learnFromFeedback, samePerson } = hospital.retraining;
    if (this.train && enabled)
      this.retrain = new Retrain(this, "retrain", {
        ...{ hospital, buckets, warehouse, keys, source, schedule: hospital.retraining.schedule },
        functions: this.ingest.function,
        preprocess: this.preprocess,
        train: this.train,
        zones: hospital.train.zones ?? [`${hospital.region}-a`],
        bindings: {
          LOG_LEVEL: logLevel,
          EVERY_DAYS: String(everyDays),
          NEW_SCANS: String(newScans),
          ON_ALARM: onAlarm ? "yes" : "no",
          LEARN_FROM_FEEDBACK: learnFromFeedback ? "yes" : "no",
          SAME_PERSON: JSON.stringify(samePerson),
        },
      });

    const serveImage = this.image("serve", images);
    if (serveImage)
      this.serve = new Serve(this, "serve", {
        hospital,
        buckets,
        warehouse,
        keys,
        image: serveImage,
        sharedProject: hospital.tier === "ephemeral",
        // The hospital's own identity is let by the data stack, before it deploys for the first time.
        deployerPulls: hospital.deployer !== deliveryMember(hospital, "deploy"),
        ...hospital.serve,
        objectives: hospital.objectives,
        bindings: {
          PSEUDONYM_KEY: keys.pseudonym.uri,
          LOG_LEVEL: logLevel,
          KEEP_DAYS: String(hospital.serve.keepDays),
          ...(hospital.serve.prevalence === undefined ? {} : { PREVALENCE: String(hospital.serve.prevalence) }),
        },
      });

    const audit =
      serveImage && keys.audit
        ? new Audit(this, "audit", {
            hospital,
            buckets,
            warehouse,
            keys: { data: keys.data, audit: keys.audit },
            image: serveImage,
            archive: auditArchiveName(platform),
            ...hospital.schedule,
            bindings: { LOG_LEVEL: logLevel },
          })
        : undefined;

    const watched = [
      this.ingest,
      this.pacs,
      this.deliver,
      this.preprocess,
      schedule,
      monitor,
      this.train,
      this.retrain,
      this.serve,
      audit,
    ].flatMap((part) => (part ? [part.monitoring] : []));
    this.observability = new Observability(this, "observability", {
      hospital,
      contributions: [
        ...watched,
        // The firewall of a shared network logs in its own project.
        ...(shared ? [] : [networkMonitoring(hospital)]),
        storageMonitoring(hospital),
        warehouseMonitoring(hospital),
        // Keys that environments share are watched where they are owned.
        ...(hospital.tier === "ephemeral" ? [] : [keysMonitoring(hospital)]),
      ],
      emails: hospital.alertEmails,
    });

    this.outputs(hospital);
  }

  /** What an operator needs to start the work, to reach it and to watch it. */
  private outputs(hospital: Hospital): void {
    const { project, region } = hospital;
    const { ingest, preprocess, train, serve, observability } = this;
    const { zones } = hospital.train;
    const output = (name: string, value: unknown, description: string) =>
      new TerraformOutput(this, name, { value, description });

    if (this.gateway)
      output("gateway_account", this.gateway.identity.email, "The account as which npm run gateway lands scans");
    output("ingest_uri", ingest.function.uri, "The ingest function; it answers Pub/Sub of this project only");
    output(
      "ingest_subscriptions",
      { scans: ingest.subscription.resource.name, dead_letters: ingest.subscription.deadLetters.name },
      "Where events of scans wait, and those of scans that could not be ingested",
    );
    const workflow = preprocess.workflow.template.name;
    output(
      "preprocess_template",
      workflow,
      "Dataproc workflow template: gcloud dataproc workflow-templates instantiate <this> --region REGION",
    );
    output(
      "preprocess_command",
      `gcloud dataproc workflow-templates instantiate ${workflow} --project ${project} --region ${region}`,
      "Preprocesses what is new, scores it and fits components",
    );
    if (train) {
      const template = train.template.name;
      output(
        "train_template",
        template,
        "Instance template: gcloud compute instances create NAME --source-instance-template <this> --zone ZONE",
      );
      if (zones) output("train_zones", zones, "Zones that have the GPU of the training machine: one of them is ZONE");
      output(
        "train_command",
        `gcloud compute instances create ${train.machinePrefix}1 --source-instance-template ${template} --project ${project} --zone ${zones?.[0] ?? `${region}-a`}`,
        "Trains, evaluates and promotes a model; another machine at the same time needs another name",
      );
    }
    if (this.retrain)
      output(
        "retrain_command",
        `gcloud workflows run ${this.retrain.workflow.name} --project ${project} --location ${region} --data '{"trigger":"person"}'`,
        "Retrains: measures a new model and the current one on the same scans, and promotes it or not",
      );
    if (serve) output("serve_uri", serve.service.uri, SERVE_URI);
    if (serve?.release) {
      const { identity } = serve.release;
      output(
        "release_account",
        identity.email,
        "The account as which npm run models -- canary gives a model its share",
      );
      output(
        "release_environment",
        {
          ...{
            MODELS_BUCKET: `gs://${bucketName(hospital, "models")}`,
            REPORTS_BUCKET: `gs://${bucketName(hospital, "reports")}`,
          },
          WAREHOUSE: `bigquery://${project}/${datasetId(hospital)}`,
          WAREHOUSE_READER: identity.reader.email,
          CLOUD_RUN_SERVICE: serve.service.id,
        },
        "Variables by which npm run models -- canary knows the hospital",
      );
    }
    if (serve?.loadBalancer) {
      output("serve_url", `https://${hospital.serve.publicAccess?.domain}`, "What people open");
      output("serve_address", serve.loadBalancer.address.address, "What the address record of serve.domain has to be");
    }
    if (observability.dashboardUrl) output("dashboard_url", observability.dashboardUrl, "Charts of everything");
    output("alerts", observability.alertNames, "Alert policies, by their display names");
    output(
      "objectives",
      observability.objectiveNames,
      `Service level objectives; their budgets: https://console.cloud.google.com/monitoring/services?project=${project}`,
    );
  }

  /** The image of a capability; what needs one that was not pushed yet is left out, and a synth says so. */
  private image(name: ImageName, { images }: ImageLock): ContainerImage | undefined {
    const locked = images[name];
    if (locked && locked.bundle !== bundleRuntime(IMAGE_CONTRACTS[name]).sha256)
      Annotations.of(this).addWarning(
        `The image "${name}" of images.lock.json was built from other code than this checkout's. To deploy this code: npm run image -- ${name}`,
      );
    if (locked) return new ContainerImage(locked);
    Annotations.of(this).addWarning(
      `images.lock.json has no image "${name}", so the stacks leave out what runs it. A first deploy comes before the first image; then: npm run image -- ${name}`,
    );
    return undefined;
  }
}
