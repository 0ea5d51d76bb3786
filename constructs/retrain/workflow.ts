import { RETRAIN_STEPS } from "../../runtime/retrain/contract";

/*
 * The workflow of a retraining, made of the one list of its steps. What differs between hospitals is in its environment:
 * the source is the same for all. Expressions hold no literal lists or maps, which the syntax does not have.
 * https://cloud.google.com/workflows/docs/reference/syntax
 */

/** The environment variables that the source reads. Whoever deploys the workflow sets them, and nobody who starts it. */
export const WORKFLOW_VARIABLES = [
  /** URL of the function. */
  "STEPS_URL",
  /** ID tokens for the function are of this; its own URL. */
  "STEPS_AUDIENCE",
  /** URL of the project in the API of Compute Engine. */
  "COMPUTE_URL",
  /** Root URL of the API of Dataproc. */
  "DATAPROC_URL",
  /** Name of the Dataproc workflow template: projects/P/regions/R/workflowTemplates/T */
  "PREPROCESS_TEMPLATE",
  /** Name of the instance template of training machines. */
  "TRAIN_TEMPLATE",
  /** What the names of training machines begin with. */
  "MACHINE_PREFIX",
  /** Zones that have the GPU, with commas between; each is tried once. */
  "ZONES",
  /** Seconds between two looks at what is under way. */
  "POLL_SECONDS",
] as const;
export type WorkflowVariable = (typeof WORKFLOW_VARIABLES)[number];

type Step = Readonly<Record<string, unknown>>;
type Steps = readonly Readonly<Record<string, Step>>[];
interface Subworkflow {
  readonly params?: readonly string[];
  readonly steps: Steps;
}
export type WorkflowSource = Readonly<Record<string, Subworkflow>>;

const expression = (text: string) => `\${${text}}`;
const variable = (name: WorkflowVariable | "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID") => `sys.get_env("${name}")`;

/** As whom others are asked: the function by an ID token of its own URL, Google's APIs by an access token. */
const AS_CALLER = { type: "OIDC", audience: expression(variable("STEPS_AUDIENCE")) };
const AS_GOOGLE = { type: "OAuth2" };
/** Network and overload; a refusal or a failed step is none. */
const RETRY = {
  predicate: expression("http.default_retry_predicate"),
  max_retries: 5,
  backoff: { initial_delay: 1, max_delay: 60, multiplier: 2 },
};
/** The longest that a request may take. https://cloud.google.com/workflows/docs/http-requests#timeouts */
const LONGEST_SECONDS = 1800;
const SLEEP: Step = { call: "sys.sleep", args: { seconds: expression(`int(${variable("POLL_SECONDS")})`) } };

const STATUS_IS = (code: number) => expression(`default(map.get(e, "code"), 0) == ${code}`);
/** An operation, or the answer about one, that failed. https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations */
const HAS_FAILED = expression('"error" in state.body');

/** Asks over HTTP, again where the network fails; what else fails is the caller's. */
const asking = (method: "get" | "post" | "delete", args: Step, result: string) => ({
  try: { call: `http.${method}`, args, result },
  retry: RETRY,
});

/** Steps where a condition holds. */
const where = (condition: string, ...steps: Steps): Step => ({ switch: [{ condition, steps }] });
const unless = (condition: string, next: string): Step => ({ switch: [{ condition, next }] });

/** The workflow as its syntax has it. */
export function workflowSource(): WorkflowSource {
  return {
    main: main(),
    give_up: giveUp(),
    ask: ask(),
    keep: keep(),
    preprocess_on_cluster: onCluster(),
    train_on_machine: onMachine(),
    find_machine: findMachine(),
    start_machine: startMachine(),
    await_machine: awaitMachine(),
    machine_state: machineState(),
    delete_machine: deleteMachine(),
  };
}

/** The source that is deployed: JSON, which Workflows takes as it takes YAML, of which it is a part. */
export const workflowText = (): string => `${JSON.stringify(workflowSource(), null, 2)}\n`;

const OWNER = expression(variable("GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID"));
/** What the function is told of whose lease it is. */
const HELD = { owner: OWNER, run: expression("held.run"), token: expression("held.token") };
const END = { call: "ask", args: { body: { action: "end", ...HELD } } };

function main(): Subworkflow {
  const trigger = expression('default(map.get(args, "trigger"), "auto")');
  return {
    params: ["args"],
    steps: [
      { asked: { assign: [{ trigger }] } },
      {
        whether_to_end: where(
          expression('trigger == "give-up"'),
          { end_it: { call: "give_up", args: {}, result: "ended" } },
          { say_so: { return: expression("ended") } },
        ),
      },
      {
        begin: {
          call: "ask",
          args: { body: { action: "begin", owner: OWNER, trigger: expression("trigger") } },
          result: "begun",
        },
      },
      { whether: { switch: [{ condition: expression("not begun.begun"), return: expression("begun") }] } },
      {
        hold: {
          assign: [
            { held: { run: expression("begun.run"), token: expression("begun.token") } },
            { done: expression("begun.done") },
            { told: { order: "" } },
          ],
        },
      },
      { work: { try: { steps: workSteps() }, except: { as: "e", steps: failing() } } },
      { end: END },
      { give: { return: expression("told.result") } },
    ],
  };
}

/**
 * Ends the run that is not over, whoever works on it, and deletes the machine that trains for it. Whoever worked has noticed
 * after a little: a machine that it was about to start is there by then.
 */
function giveUp(): Subworkflow {
  const places = { name: expression("name"), zones: expression("zones"), held: expression("ended") };
  const machine = { name: expression("name"), zone: expression("zone") };
  return {
    steps: [
      { end: { call: "ask", args: { body: { action: "give-up", owner: OWNER } }, result: "ended" } },
      { nothing: where(expression("not ended.ended"), { leave: { return: expression("ended") } }) },
      { rest: SLEEP },
      { names: { assign: namesOf("ended.run") } },
      { find: { call: "find_machine", args: places, result: "zone" } },
      { found: where(expression('zone != "none"'), { remove: { call: "delete_machine", args: machine } }) },
      { give: { return: expression("ended") } },
    ],
  };
}

/** The name of a run's machine, and where it may be. */
const namesOf = (run: string) => [
  { name: expression(`${variable("MACHINE_PREFIX")} + ${run}`) },
  { zones: expression(`text.split(${variable("ZONES")}, ",")`) },
];

/** Each step: what others do for it, unless it is done, and then the function, which writes it down. */
const workSteps = (): Steps =>
  RETRAIN_STEPS.flatMap(({ name, by }): Steps => {
    const step = { call: "ask", args: { body: { action: "step", step: name, ...HELD } }, result: "told" };
    if (by === "function") return [{ [name]: step }];
    const work =
      by === "cluster"
        ? { call: "preprocess_on_cluster", args: { held: expression("held") } }
        : { call: "train_on_machine", args: { held: expression("held"), order: expression("told.order") } };
    return [
      { [`${name}_first`]: where(expression(`not ("${name}" in done)`), { [`${name}_by_${by}`]: work }) },
      { [name]: step },
    ];
  });

/** The lease is given back, so that the next execution goes on at once, and the failure is the execution's. */
function failing(): Steps {
  const text = "The lease was not given back: it runs out by itself.";
  const note = { say: { call: "sys.log", args: { text, severity: "WARNING" } } };
  return [
    { give_back: { try: { steps: [{ end_early: END }] }, except: { as: "other", steps: [note] } } },
    { fail: { raise: expression("e") } },
  ];
}

function ask(): Subworkflow {
  const args = {
    ...{ url: expression(variable("STEPS_URL")), body: expression("body") },
    ...{ auth: AS_CALLER, timeout: LONGEST_SECONDS },
  };
  return {
    params: ["body"],
    steps: [{ post: asking("post", args, "answer") }, { give: { return: expression("answer.body") } }],
  };
}

/** Waits a little, and keeps the lease: whoever has lost it stops here. */
function keep(): Subworkflow {
  return {
    params: ["held"],
    steps: [
      { rest: SLEEP },
      { renew: { call: "ask", args: { body: { action: "renew", ...HELD } }, result: "kept" } },
      { give: { return: "kept" } },
    ],
  };
}

const KEEP = { call: "keep", args: { held: expression("held") } };

/** Runs the Dataproc workflow, and waits for its end. One that an earlier execution started is waited for first. */
function onCluster(): Subworkflow {
  const url = expression(`${variable("DATAPROC_URL")} + "/v1/" + ${variable("PREPROCESS_TEMPLATE")} + ":instantiate"`);
  const look = { url: expression(`${variable("DATAPROC_URL")} + "/v1/" + operation.body.name`), auth: AS_GOOGLE };
  return {
    params: ["held"],
    steps: [
      { nothing: { assign: [{ other: "no" }] } },
      {
        instantiate: {
          // One of that name at a time: a request that is repeated starts no second cluster.
          ...asking("post", { url, body: { requestId: expression("held.run") }, auth: AS_GOOGLE }, "operation"),
          except: {
            as: "e",
            steps: [
              { same: where(STATUS_IS(409), { note: { assign: [{ other: "yes" }] } }) },
              { refused: where(expression('other != "yes"'), { give_up: { raise: expression("e") } }) },
            ],
          },
        },
      },
      { started: unless(expression('other == "no"'), "look") },
      { hold_on: { ...KEEP, next: "nothing" } },
      { look: asking("get", look, "state") },
      { failed: where(HAS_FAILED, { fail: { raise: expression("state.body.error") } }) },
      { ended: where(expression('"done" in state.body'), { give: { return: "done" } }) },
      { wait: { ...KEEP, next: "look" } },
    ],
  };
}

/** Trains on a machine of the template: one that is there already, else a new one, in the first zone that has one. */
function onMachine(): Subworkflow {
  const machine = { name: expression("name"), zone: expression("zone") };
  const places = { name: expression("name"), zones: expression("zones"), held: expression("held") };
  const remove = { call: "delete_machine", args: machine };
  return {
    params: ["held", "order"],
    steps: [
      { names: { assign: namesOf("held.run") } },
      { find: { call: "find_machine", args: places, result: "zone" } },
      { found: unless(expression('zone != "none"'), "wait") },
      { start: { call: "start_machine", args: { ...places, order: expression("order") }, result: "zone" } },
      {
        wait: {
          try: { call: "await_machine", args: { ...machine, held: expression("held") }, result: "outcome" },
          except: {
            as: "e",
            steps: [
              // Another execution has gone on with the run, and with the machine.
              { lost: where(STATUS_IS(409), { leave: { raise: expression("e") } }) },
              { clean: remove },
              { fail: { raise: expression("e") } },
            ],
          },
        },
      },
      { remove },
      { give: { return: expression("outcome") } },
    ],
  };
}

const INSTANCES = `${variable("COMPUTE_URL")} + "/zones/" + zone + "/instances"`;

function findMachine(): Subworkflow {
  const state = {
    call: "machine_state",
    args: { name: expression("name"), zone: expression("zone") },
    result: "state",
  };
  const note = where(expression('state != "GONE"'), { note: { assign: [{ found: expression("zone") }] } });
  return {
    params: ["name", "zones", "held"],
    steps: [
      { nowhere: { assign: [{ found: "none" }] } },
      { look: { for: { value: "zone", in: expression("zones"), steps: [{ state }, { there: note }] } } },
      { give: { return: expression("found") } },
    ],
  };
}

/** Status of an instance; GONE where there is none. https://cloud.google.com/compute/docs/instances/instance-life-cycle */
function machineState(): Subworkflow {
  const args = { url: expression(`${INSTANCES} + "/" + name`), auth: AS_GOOGLE };
  return {
    params: ["name", "zone"],
    steps: [
      {
        look: {
          ...asking("get", args, "machine"),
          except: {
            as: "e",
            steps: [
              { gone: where(STATUS_IS(404), { none: { return: "GONE" } }) },
              { refused: { raise: expression("e") } },
            ],
          },
        },
      },
      { give: { return: expression("machine.body.status") } },
    ],
  };
}

/** @returns the zone in which the machine was started; a zone that has none left is passed over */
function startMachine(): Subworkflow {
  const template = `${variable("COMPUTE_URL")} + "/global/instanceTemplates/" + ${variable("TRAIN_TEMPLATE")}`;
  const operation = `${variable("COMPUTE_URL")} + "/zones/" + zone + "/operations/" + operation.body.name`;
  const instance = {
    url: expression(INSTANCES),
    query: { sourceInstanceTemplate: expression("source") },
    body: { name: expression("name"), metadata: { items: expression("items") } },
    auth: AS_GOOGLE,
  };
  const look = { url: expression(operation), auth: AS_GOOGLE };
  const why = { assign: [{ why: expression("json.encode_to_string(state.body.error)") }], next: "continue" };
  const take = { assign: [{ started: expression("zone") }], next: "break" };
  const give = where(expression('started == "none"'), {
    fail: { raise: expression('"No zone has a machine for training: " + why') },
  });
  return {
    params: ["name", "zones", "held", "order"],
    steps: [
      { locate: { assign: [{ source: expression(template) }, { started: "none" }, { why: "" }] } },
      { read: asking("get", { url: expression("source"), auth: AS_GOOGLE }, "template") },
      { say: { assign: [{ item: { key: "job-retraining", value: expression("order") } }] } },
      // What is given beside a template takes the place of its whole list.
      { join: { assign: [{ items: expression('list.concat(template.body.properties.metadata["items"], item)') }] } },
      {
        choose: {
          for: {
            value: "zone",
            in: expression("zones"),
            steps: [
              { insert: asking("post", instance, "operation") },
              { look: asking("get", look, "state") },
              { failed: where(HAS_FAILED, { note: why }) },
              { ready: where(expression('state.body.status == "DONE"'), { take }) },
              { wait: { ...KEEP, next: "look" } },
            ],
          },
        },
      },
      { nowhere: give },
      { give: { return: expression("started") } },
    ],
  };
}

/** Waits until the machine has switched itself off, or is gone. Whether it left a model the function says. */
function awaitMachine(): Subworkflow {
  const args = { name: expression("name"), zone: expression("zone") };
  const isOver = expression(
    ["TERMINATED", "STOPPED", "SUSPENDED", "GONE"].map((name) => `state == "${name}"`).join(" or "),
  );
  return {
    params: ["name", "zone", "held"],
    steps: [
      { look: { call: "machine_state", args, result: "state" } },
      { over: where(isOver, { give: { return: expression("state") } }) },
      { wait: { ...KEEP, next: "look" } },
    ],
  };
}

/** The run goes on whether or not the machine can be deleted: it is off, or goes when its time is over. */
function deleteMachine(): Subworkflow {
  const args = { url: expression(`${INSTANCES} + "/" + name`), auth: AS_GOOGLE };
  const text = expression('"The machine " + name + " was not deleted: it goes when its time is over."');
  const note = { say: { call: "sys.log", args: { text, severity: "WARNING" } } };
  return {
    params: ["name", "zone"],
    steps: [
      {
        remove: { try: { steps: [{ ask_for_it: { call: "http.delete", args } }] }, except: { as: "e", steps: [note] } },
      },
      { give: { return: "deleted" } },
    ],
  };
}
