#!/usr/bin/env node
// Plans and applies as Terraform does, as far as a roll-out sees it, in a tenth of the time and with faults on demand: a
// resource may say {fail: FILE} (its apply fails until the file is there), {wait: MS}, {planFails: FILE}, {planUntil: FILE}
// or {applyUntil: FILE} (it goes on when the file is there) or {planMeets: N} (it goes on when N plans have begun). What it
// did, and when, is appended to the file that STAND_IN_LOG names.
const { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const { basename } = require("node:path");

const [command, ...args] = process.argv.slice(2);
const option = (name) => args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
const json = (file) => JSON.parse(readFileSync(file, "utf8"));
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const until = (happened) => {
  while (!happened()) sleep(20);
};
const plansBegun = () =>
  readFileSync(process.env.STAND_IN_LOG, "utf8").split('"event":"begin","command":"plan"').length - 1;
const log = (event) => {
  if (process.env.STAND_IN_LOG)
    appendFileSync(
      process.env.STAND_IN_LOG,
      `${JSON.stringify({ at: Date.now(), event, command, stack: basename(process.cwd()), credentials: process.env.GOOGLE_APPLICATION_CREDENTIALS })}\n`,
    );
};
const error = (summary, address) =>
  process.stdout.write(
    `${JSON.stringify({ "@level": "error", type: "diagnostic", diagnostic: { severity: "error", summary, detail: "", address } })}\n`,
  );
const stateOf = (path) => (existsSync(path) ? json(path) : { serial: 0, resources: {} });

function differences(state) {
  const { resource = {} } = json("cdk.tf.json");
  const wanted = Object.fromEntries(
    Object.entries(resource).flatMap(([type, all]) =>
      Object.entries(all).map(([name, config]) => [`${type}.${name}`, config]),
    ),
  );
  const all = [...new Set([...Object.keys(state.resources), ...Object.keys(wanted)])].sort();
  return all.map((address) => {
    const [before, after] = [state.resources[address], wanted[address]];
    const same = JSON.stringify(before) === JSON.stringify(after);
    const moved = before && after && before.location !== after.location;
    const actions = same
      ? ["no-op"]
      : !before
        ? ["create"]
        : !after
          ? ["delete"]
          : moved
            ? ["delete", "create"]
            : ["update"];
    return { address, type: address.split(".")[0], mode: "managed", change: { actions, before, after } };
  });
}

function main() {
  if (command === "version") return 0;
  if (command === "show") {
    const plan = json(args.at(-1));
    process.stdout.write(JSON.stringify({ format_version: "1.2", planned_values: {}, resource_changes: plan.changes }));
    return 0;
  }
  log("begin");
  if (command === "init") {
    sleep(30);
    mkdirSync(".terraform", { recursive: true });
    writeFileSync(
      ".terraform/state-path",
      args.find((arg) => arg.startsWith("-backend-config=path="))?.slice(21) ?? "",
    );
    writeFileSync(".terraform.lock.hcl", "# one provider\n");
    log("end");
    return 0;
  }
  const path = readFileSync(".terraform/state-path", "utf8");
  const state = stateOf(path);
  if (command === "plan") {
    const changes = differences(state);
    for (const { address, change } of changes) {
      if (change.after?.wait) sleep(change.after.wait);
      if (change.after?.planUntil) until(() => existsSync(change.after.planUntil));
      if (change.after?.planMeets) until(() => plansBegun() >= change.after.planMeets);
      if (change.after?.planFails && !existsSync(change.after.planFails)) {
        error("Reading was refused", address);
        return 1;
      }
    }
    const out = option("-out");
    if (out) writeFileSync(out, JSON.stringify({ serial: state.serial, changes, path }));
    log("end");
    return args.includes("-detailed-exitcode") && changes.some(({ change }) => change.actions[0] !== "no-op") ? 2 : 0;
  }
  if (command === "apply") {
    const plan = json(args.at(-1));
    if (plan.serial !== state.serial) {
      error("Saved plan is stale");
      return 1;
    }
    for (const { address, change } of plan.changes) {
      if (change.actions[0] === "no-op") continue;
      if (change.after?.wait) sleep(change.after.wait);
      if (change.after?.applyUntil) until(() => existsSync(change.after.applyUntil));
      if (change.after?.fail && !existsSync(change.after.fail)) {
        error("Google said no", address);
        return 1;
      }
      state.serial++;
      if (change.after) state.resources[address] = change.after;
      else delete state.resources[address];
      writeFileSync(path, JSON.stringify(state));
    }
    log("end");
    return 0;
  }
  process.stderr.write(`Error: the stand-in does not know ${command}\n`);
  return 1;
}

process.exitCode = main();
