import { hostCommands } from "../../../constructs/network";
import { evaluatePolicy, stackDocument } from "../../../constructs/policy";
import { type Json, PROD, type SynthesizedStack, stackOf, synthesize } from "../../stacks/synthesize";

const closed = stackOf(synthesize([PROD]).stacks, "st-anna-app");
const open = stackOf(
  synthesize([
    {
      ...PROD,
      network: { cidr: "10.64.0.0/20", egress: [{ name: "pacs", cidr: "203.0.113.0/28", ports: [443, 11112] }] },
    },
  ]).stacks,
  "st-anna-app",
);
const configs = (stack: SynthesizedStack, type: string) => stack.resources(type).map(({ config }) => config);
const rule = (stack: SynthesizedStack, name: string) =>
  configs(stack, "google_compute_firewall").find((config) => config.name === `st-anna-${name}`) as Json;

test("the network has one subnet, no default route, private Google access and flow logs", () => {
  const [vpc, ...others] = configs(closed, "google_compute_network");
  expect(others).toEqual([]);
  expect(vpc).toMatchObject({
    name: "st-anna-vpc",
    auto_create_subnetworks: false,
    delete_default_routes_on_create: true,
  });
  expect(configs(closed, "google_compute_subnetwork")).toEqual([
    expect.objectContaining({
      ip_cidr_range: "10.10.0.0/20",
      region: "europe-west4",
      private_ip_google_access: true,
      log_config: expect.objectContaining({ metadata: "INCLUDE_ALL_METADATA" }),
    }),
  ]);
});

test("everything is denied in both directions, after what is allowed, and every rule logs", () => {
  expect(rule(closed, "deny-egress")).toMatchObject({
    direction: "EGRESS",
    priority: 65534,
    deny: [{ protocol: "all" }],
    destination_ranges: ["0.0.0.0/0"],
  });
  expect(rule(closed, "deny-ingress")).toMatchObject({
    direction: "INGRESS",
    priority: 65534,
    deny: [{ protocol: "all" }],
    source_ranges: ["0.0.0.0/0"],
  });
  for (const config of configs(open, "google_compute_firewall")) {
    expect(config.log_config).toEqual({ metadata: "INCLUDE_ALL_METADATA" });
    if (config.allow) {
      expect(config.priority).toBeLessThan(65534);
      expect(JSON.stringify(config)).not.toContain("0.0.0.0/0");
    }
  }
});

test("Google's APIs are reached by their restricted addresses: rule, route and names agree", () => {
  expect(rule(closed, "allow-google-apis")).toMatchObject({
    direction: "EGRESS",
    allow: [{ protocol: "tcp", ports: ["443"] }],
    destination_ranges: ["199.36.153.4/30"],
  });
  expect(configs(closed, "google_compute_route").map(({ dest_range }) => dest_range)).toEqual(["199.36.153.4/30"]);
  const records = configs(closed, "google_dns_record_set").map(({ name, type, rrdatas }) => [name, type, rrdatas]);
  const addresses = ["199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"];
  expect(records).toEqual(
    expect.arrayContaining([
      ["restricted.googleapis.com.", "A", addresses],
      ["*.googleapis.com.", "CNAME", ["restricted.googleapis.com."]],
      ["pkg.dev.", "A", addresses],
      ["*.pkg.dev.", "CNAME", ["pkg.dev."]],
      ["gcr.io.", "A", addresses],
    ]),
  );
  for (const zone of configs(closed, "google_dns_managed_zone")) expect(zone.visibility).toBe("private");
});

test("a NAT is there only for destinations that the line lists, each with its own rule and route", () => {
  expect(configs(closed, "google_compute_router_nat")).toEqual([]);
  expect(configs(closed, "google_compute_router")).toEqual([]);
  expect(configs(open, "google_compute_router_nat")).toEqual([
    expect.objectContaining({ source_subnetwork_ip_ranges_to_nat: "LIST_OF_SUBNETWORKS" }),
  ]);
  expect(rule(open, "allow-pacs")).toMatchObject({
    direction: "EGRESS",
    allow: [{ protocol: "tcp", ports: ["443", "11112"] }],
    destination_ranges: ["203.0.113.0/28"],
  });
  expect(configs(open, "google_compute_route").map(({ dest_range }) => dest_range)).toContain("203.0.113.0/28");
  expect(configs(open, "google_compute_subnetwork")[0]?.ip_cidr_range).toBe("10.64.0.0/20");
});

test("nodes of a cluster reach each other, and nothing outside the subnet", () => {
  const inward = rule(open, "allow-preprocess-in");
  expect(inward).toMatchObject({ direction: "INGRESS", source_tags: ["preprocess"], target_tags: ["preprocess"] });
  expect(inward).not.toHaveProperty("source_ranges");
  expect(rule(open, "allow-preprocess-out")).toMatchObject({
    direction: "EGRESS",
    target_tags: ["preprocess"],
    destination_ranges: ["10.64.0.0/20"],
  });
});

describe("a subnet of a Shared VPC", () => {
  const network = { shared: { project: "net-host", network: "hub", subnet: "mri" } };
  const app = stackOf(synthesize([{ ...PROD, network }]).stacks, "st-anna-app");
  const subnet = "https://www.googleapis.com/compute/v1/projects/net-host/regions/europe-west4/subnetworks/mri";

  test("takes the place of a network of the hospital's own, of which nothing is made", () => {
    expect(
      app
        .resources()
        .filter(({ type }) => /^google_compute_(?:network|subnetwork|firewall|route|router)|^google_dns_/.test(type)),
    ).toEqual([]);
    const [template] = configs(app, "google_compute_instance_template");
    expect(template?.network_interface).toEqual([{ subnetwork: subnet, stack_type: "IPV4_ONLY" }]);
    const [workflow] = configs(app, "google_dataproc_workflow_template");
    expect(JSON.stringify(workflow)).toContain(`"subnetwork":"${subnet}"`);
  });

  test("is not watched here, where its firewall does not log, and is accepted with a reason that the policy lists", () => {
    expect(app.text).not.toContain("egress-denied");
    const findings = evaluatePolicy(stackDocument("app", app.json)).filter(({ rule: { id } }) => id === "own-network");
    expect(findings.map(({ address }) => address.split(".")[0]).sort()).toEqual([
      "google_compute_instance_template",
      "google_dataproc_workflow_template",
    ]);
    for (const { acknowledged } of findings) expect(acknowledged).toContain("names a network of net-host");
  });

  test("needs of its administrators what an own network has: users, rules, a route and names", () => {
    const lines = hostCommands({ ...PROD, deployer: "serviceAccount:d@p" }, network.shared, "nodes").map((words) =>
      words.join(" "),
    );
    for (const line of lines) expect(line).toMatch(/ --(?:host-)?project=net-host$/);
    const having = (...words: string[]) => lines.filter((line) => words.every((word) => line.includes(word)));
    for (const member of [
      "serviceAccount:service-483920174655@dataproc-accounts.iam.gserviceaccount.com",
      "serviceAccount:483920174655@cloudservices.gserviceaccount.com",
      "serviceAccount:d@p",
    ])
      expect(having("subnets add-iam-policy-binding mri", `--member=${member}`, "networkUser")).toHaveLength(1);
    expect(having("--enable-private-ip-google-access")).toHaveLength(1);
    expect(having("--direction=EGRESS", "--action=DENY", "--destination-ranges=0.0.0.0/0")).toHaveLength(1);
    expect(having("--rules=tcp:443", "--destination-ranges=199.36.153.4/30")).toHaveLength(1);
    expect(having("routes create", "199.36.153.4/30")).toHaveLength(1);
    expect(having("record-sets create", "--type=CNAME").map((line) => line.split(" ")[4])).toEqual([
      "*.googleapis.com.",
      "*.pkg.dev.",
      "*.gcr.io.",
    ]);
    // Other teams' machines live in the network too: no rule is about one that does not carry the hospital's name.
    for (const line of having("firewall-rules create"))
      expect(line).toMatch(/ --target-tags=st-anna-(?:nodes|machine) /);
    for (const line of having("--source-tags=")) expect(line).toContain("--source-tags=st-anna-nodes ");
  });

  test("has machines that carry the tags of these rules, and one's own network does not need them", () => {
    const tagsIn = (stack: typeof app, type: string) =>
      JSON.stringify(stack.resources(type)).match(/"tags":\[[^\]]*\]/g);
    expect(tagsIn(app, "google_dataproc_workflow_template")).toEqual([
      '"tags":["st-anna-preprocess","st-anna-machine"]',
    ]);
    expect(tagsIn(app, "google_compute_instance_template")).toEqual(['"tags":["st-anna-machine"]']);
  });
});
