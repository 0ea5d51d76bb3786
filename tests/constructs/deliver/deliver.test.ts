import { overlaps, parseRange } from "../../../constructs/core/ip-range";
import { evaluatePolicy, openFindings, stackDocument } from "../../../constructs/policy";
import { type HospitalLine, parseHospitals } from "../../../stacks/config";
import { diffGolden, goldenStack } from "../../../tools/golden";
import { type Json, PROD, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const DELIVERY = {
  to: "https://fhir.example.org/r4",
  addresses: ["203.0.113.7/32", "198.51.100.16/28"],
  signingKey: "secrets/delivery-signing-key/versions/3",
  oauth2: {
    signInUrl: "https://login.example.org:8443/token",
    clientId: "brain-tumor",
    clientSecret: "secrets/delivery-client/versions/2",
  },
} satisfies HospitalLine["delivery"];
const MTLS = { certificate: "secrets/delivery-tls/versions/1", key: "secrets/delivery-tls-key/versions/1" };

const without = synthesize([PROD, TEST]).stacks;
const stacks = synthesize([{ ...PROD, delivery: DELIVERY }, TEST]).stacks;
const app = stackOf(stacks, "st-anna-app");
const TAG = "vpc-connector-europe-west4-deliver-out";
const configs = (type: string, stack = app) => stack.resources(type).map(({ config }) => config);
const deliver = () =>
  configs("google_cloudfunctions2_function").find(({ name }) => name === "st-anna-deliver") as Json & {
    service_config: Json;
  };

test("no other hospital's stack changes, and none that names no receiver has a way out", () => {
  for (const name of ["sandbox-app", "sandbox-data", "platform"])
    expect(stacks.get(name)?.text).toBe(without.get(name)?.text);
  expect(without.get("st-anna-app")?.text).not.toMatch(/vpc_access_connector|google_compute_router|secretmanager/);
});

test.each(["data", "app"])("what it adds to the %s stack is what was reviewed", (kind) => {
  const differences = diffGolden(
    goldenStack(stackOf(without, `st-anna-${kind}`)),
    goldenStack(stackOf(stacks, `st-anna-${kind}`)),
  );
  const added = differences.filter(({ path, change }) => path === "" && change === "added");
  expect(Object.fromEntries(added.map(({ address, after }) => [address, after]))).toMatchSnapshot();
});

test("the receiver's addresses are open to the function alone, on its ports, and everything it sends goes that way", () => {
  expect(deliver().service_config).toMatchObject({
    vpc_connector: expect.stringMatching(/^\$\{google_vpc_access_connector\.deliver_outlet_connector_\w+\.id\}$/),
    vpc_connector_egress_settings: "ALL_TRAFFIC",
    ingress_settings: "ALLOW_INTERNAL_ONLY",
  });
  const allowed = configs("google_compute_firewall").filter(({ direction, allow }) => direction === "EGRESS" && allow);
  const outside = allowed.filter(({ destination_ranges }) =>
    (destination_ranges as string[]).some((range) => DELIVERY.addresses.includes(range)),
  );
  expect(outside).toEqual([
    expect.objectContaining({
      destination_ranges: DELIVERY.addresses,
      allow: [{ protocol: "tcp", ports: ["443", "8443"] }],
      target_tags: [TAG],
    }),
  ]);
  // Nothing but this, and Google's APIs for the function, differs from a network that has no way out.
  const others = configs("google_compute_firewall", stackOf(without, "st-anna-app"));
  expect(allowed.filter(({ target_tags }) => JSON.stringify(target_tags) !== JSON.stringify([TAG]))).toEqual(
    others.filter(({ direction, allow }) => direction === "EGRESS" && allow),
  );
  const routes = configs("google_compute_route").filter(({ dest_range }) => dest_range !== "199.36.153.4/30");
  expect(routes.map(({ dest_range, tags }) => [dest_range, tags])).toEqual(DELIVERY.addresses.map((to) => [to, [TAG]]));
  // Addresses of its own for the one subnet, in which nothing else runs.
  const [nat, ...more] = configs("google_compute_router_nat") as (Json & { subnetwork: Json[] })[];
  expect([nat?.subnetwork.length, more]).toEqual([1, []]);
  expect(JSON.stringify(nat?.subnetwork)).toContain("google_compute_subnetwork.deliver_outlet_subnet");
  // The function waits for all of it: before, nothing that it sends arrives.
  const waits = JSON.stringify(deliver().depends_on);
  for (const type of ["firewall", "route", "router_nat", "subnetwork"])
    expect(waits).toContain(`google_compute_${type}.deliver_outlet`);
});

test("what machines may reach is none of the function's: each packet of it meets what is bound to it first", () => {
  const egress = [{ name: "pacs", cidr: "192.0.2.0/28", ports: [443, 11112] }];
  const both = stackOf(synthesize([{ ...PROD, delivery: DELIVERY, network: { egress } }]).stacks, "st-anna-app");
  // As Google reads them: by priority, and of one priority what denies first; untagged rules are everybody's.
  const rules = configs("google_compute_firewall", both)
    .filter(({ direction }) => direction === "EGRESS")
    .sort((a, b) => Number(a.priority) - Number(b.priority) || Number("allow" in a) - Number("allow" in b));
  const isAllowed = (tags: string[], address: string, port: number) => {
    const rule = rules.find(
      ({ target_tags, destination_ranges, ...rest }) =>
        ((target_tags as string[] | undefined) ?? tags).some((tag) => tags.includes(tag)) &&
        (destination_ranges as string[]).some((range) => overlaps(parseRange(range), parseRange(`${address}/32`))) &&
        ("deny" in rest ||
          (rest.allow as Json[]).some(({ ports }) => (ports as string[] | undefined)?.includes(`${port}`) ?? true)),
    );
    return rule !== undefined && "allow" in rule;
  };
  const reached = (tags: string[]) =>
    [
      ...DELIVERY.addresses.map((range) => [range.split("/")[0] as string, 8443] as const),
      ["199.36.153.4", 443],
      ["192.0.2.1", 443],
      ["192.0.2.1", 11112],
      ["10.10.0.2", 443],
      ["93.184.216.34", 443],
      ["203.0.113.7", 22],
      ["199.36.153.4", 80],
    ].filter(([address, port]) => isAllowed(tags, String(address), Number(port)));
  expect(reached([TAG, "vpc-connector"])).toEqual([
    ["203.0.113.7", 8443],
    ["198.51.100.16", 8443],
    ["199.36.153.4", 443],
  ]);
  expect(reached(["none"])).toEqual([
    ["199.36.153.4", 443],
    ["192.0.2.1", 443],
    ["192.0.2.1", 11112],
  ]);
  // What is denied is counted with the rest: one filter finds both names.
  const named = rules.filter(({ name }) => String(name).includes("st-anna-deny-egress"));
  expect(named.map(({ name, priority }) => [name, priority])).toEqual([
    ["st-anna-deny-egress-deliver-out", 950],
    ["st-anna-deny-egress", 65534],
  ]);
  expect(openFindings(evaluatePolicy(stackDocument("app", both.json))).map(({ rule }) => rule.id)).toEqual([]);
});

test("secrets stand nowhere: the function names versions, and may read these secrets one by one", () => {
  const { environment_variables, secret_environment_variables } = deliver().service_config;
  expect(environment_variables).toMatchObject({
    RECEIVER_URL: DELIVERY.to,
    RECEIVER_FORMAT: "fhir",
    RECEIVER_SIGN_IN_URL: DELIVERY.oauth2.signInUrl,
    RECEIVER_CLIENT_ID: "brain-tumor",
  });
  expect(environment_variables).not.toHaveProperty("FHIR_STORE");
  expect(secret_environment_variables).toEqual([
    { key: "RECEIVER_SIGNING_KEY", project_id: PROD.project, secret: "delivery-signing-key", version: "3" },
    { key: "RECEIVER_CLIENT_SECRET", project_id: PROD.project, secret: "delivery-client", version: "2" },
  ]);
  const grants = configs("google_secret_manager_secret_iam_member");
  expect(grants.map(({ secret_id, role }) => `${secret_id} ${role}`).sort()).toEqual([
    "delivery-client roles/secretmanager.secretAccessor",
    "delivery-signing-key roles/secretmanager.secretAccessor",
  ]);
  expect(new Set(grants.map(({ member }) => member)).size).toBe(1);
  expect(configs("google_secret_manager_secret")).toEqual([]);
});

test("with a FHIR store it delivers to both; a certificate takes the place of a client; the policy has nothing open", () => {
  const { oauth2: _, ...rest } = DELIVERY;
  const both = stackOf(
    synthesize([{ ...PROD, pacs: "healthcare-api", delivery: { ...rest, mtls: MTLS, format: "sr" } }]).stacks,
    "st-anna-app",
  );
  const made = configs("google_cloudfunctions2_function", both).find(({ name }) => name === "st-anna-deliver");
  expect(made).toMatchObject({
    service_config: {
      environment_variables: { FHIR_STORE: expect.stringContaining("fhirStores"), RECEIVER_FORMAT: "sr" },
      secret_environment_variables: [
        { key: "RECEIVER_SIGNING_KEY" },
        { key: "RECEIVER_CERTIFICATE", secret: "delivery-tls" },
        { key: "RECEIVER_CERTIFICATE_KEY", secret: "delivery-tls-key" },
      ],
    },
  });
  for (const stack of [app, both])
    expect(openFindings(evaluatePolicy(stackDocument("app", stack.json))).map(({ rule }) => rule.id)).toEqual([]);
});

test.each<[HospitalLine["delivery"], Partial<HospitalLine>, RegExp]>([
  [{ format: "sr" }, {}, /"delivery" has format and no "to"/],
  [{ ...DELIVERY, to: "http://fhir.example.org" }, {}, /delivery\.to/],
  [{ ...DELIVERY, to: "https://user:secret@fhir.example.org" }, {}, /delivery\.to/],
  [{ ...DELIVERY, signingKey: "-----BEGIN PRIVATE KEY-----" }, {}, /a version of a secret of the hospital's project/],
  [{ ...DELIVERY, signingKey: "secrets/a/versions/latest" }, {}, /a version of a secret/],
  [{ ...DELIVERY, signingKey: undefined }, {}, /"delivery\.signingKey" is missing/],
  [{ ...DELIVERY, addresses: undefined }, {}, /"delivery\.addresses" is missing/],
  [{ ...DELIVERY, oauth2: undefined }, {}, /does not say how to sign in/],
  [{ ...DELIVERY, addresses: ["0.0.0.0/0"] }, {}, /delivery\.addresses/],
  [{ ...DELIVERY, addresses: ["203.0.0.0/16"] }, {}, /delivery\.addresses/],
  [{ ...DELIVERY, addresses: ["199.36.153.8/30"] }, {}, /199\.36\.153\.8\/30 is private\.googleapis\.com/],
  [{ ...DELIVERY, addresses: ["10.10.0.5/32"] }, {}, /10\.10\.0\.0\/20 is the hospital's own subnet/],
  [{ ...DELIVERY, addresses: ["10.10.16.4/32"] }, {}, /the subnet of the way out/],
  [{ ...DELIVERY, cidr: "10.10.1.0/28" }, {}, /"delivery\.cidr" is 10\.10\.1\.0\/28, a part of "network\.cidr"/],
  [
    DELIVERY,
    { network: { shared: { project: "net-host", network: "hub", subnet: "mri" } } },
    /"delivery" is given with "network\.shared"/,
  ],
  [DELIVERY, { tier: "ephemeral" }, /names a receiver in tier ephemeral/],
  [
    DELIVERY,
    { network: { egress: [{ name: "deliver-out", cidr: "203.0.113.0/28", ports: [443] }] } },
    /has the name "deliver-out"/,
  ],
  [
    DELIVERY,
    { network: { egress: [{ name: "deliver-out-1", cidr: "203.0.113.0/28", ports: [443] }] } },
    /has the name "deliver-out-1"/,
  ],
])("%#: what is wrong with the line is said in a sentence", (delivery, more, sentence) => {
  expect(() => parseHospitals([{ ...PROD, ...more, delivery }])).toThrow(sentence);
});
