import { type CommandLine, type Runner, runForList } from "./gcloud";

/** What Google Cloud makes in a new project: a subnet in every region, and SSH and RDP open to the world. */
const NAME = "default";

interface Network {
  readonly name: string;
  readonly autoCreateSubnetworks?: boolean;
  readonly peerings?: readonly { readonly name: string }[];
}
interface Named {
  readonly name: string;
}
interface Instance extends Named {
  readonly networkInterfaces?: readonly { readonly network?: string }[];
}
/** Of an address, the subnet stands for its network. */
interface OnNetwork extends Named {
  readonly network?: string;
  readonly subnetwork?: string;
}

/** What becomes of a project's default network. */
export interface DefaultNetwork {
  /** What takes it away, rules first: Google deletes no network that has some. Empty where it stays. */
  readonly removal: readonly CommandLine[];
  /** Why it stays, as a sentence; undefined where it goes or is not there. */
  readonly kept: string | undefined;
}

/**
 * Looks at the network `default` of a project. It goes if Google made it (auto mode) and nothing is on it: no machine, in
 * whatever state, no address, load balancer, router or peering. Only reads.
 * @throws with what a command said.
 */
export function defaultNetwork(project: string, run: Runner): DefaultNetwork {
  const list = <T>(...words: string[]) => runForList<T>(run, ["gcloud", "compute", ...words, `--project=${project}`]);
  const network = list<Network>("networks", "list", `--filter=name=${NAME}`).find(({ name }) => name === NAME);
  if (!network) return { removal: [], kept: undefined };
  const kept = (why: string): DefaultNetwork => ({
    removal: [],
    kept: `The network "${NAME}" of ${project} stays: ${why}. A hospital's stacks do not use it; delete it once nothing else does.`,
  });
  if (network.autoCreateSubnetworks !== true) return kept("it is not in auto mode, so somebody made it");

  const here = ({ network, subnetwork }: Omit<OnNetwork, "name">) =>
    lastPart(network) === NAME || (network === undefined && lastPart(subnetwork) === NAME);
  const used: Readonly<Record<string, readonly Named[]>> = {
    instance: list<Instance>("instances", "list").filter(({ networkInterfaces = [] }) => networkInterfaces.some(here)),
    "forwarding rule": list<OnNetwork>("forwarding-rules", "list").filter(here),
    address: list<OnNetwork>("addresses", "list").filter(here),
    router: list<OnNetwork>("routers", "list").filter(here),
    peering: network.peerings ?? [],
  };
  const uses = Object.entries(used).flatMap(([what, found]) => found.map(({ name }) => `${what} ${name}`));
  if (uses.length > 0) return kept(`it is used by ${uses.join(", ")}`);

  const rules = list<OnNetwork>("firewall-rules", "list").filter(here);
  const remove = (kind: string, ...names: string[]): CommandLine => [
    "gcloud",
    "compute",
    kind,
    "delete",
    ...names,
    "--quiet",
    `--project=${project}`,
  ];
  return {
    removal: [
      ...(rules.length > 0 ? [remove("firewall-rules", ...rules.map(({ name }) => name))] : []),
      remove("networks", NAME),
    ],
    kept: undefined,
  };
}

/** The same for a person to paste, who looks first: what Google put there is not known without asking it. */
export function defaultNetworkByHand(project: string): string[] {
  const here = `--project=${project}`;
  return [
    `# The network "${NAME}" that Google makes in a new project, with SSH open to the world. Only where this lists nothing:`,
    `gcloud compute instances list '--filter=networkInterfaces.network ~ /${NAME}$' ${here}`,
    `gcloud compute firewall-rules list '--filter=network ~ /${NAME}$' '--format=value(name)' ${here} | xargs -r gcloud compute firewall-rules delete --quiet ${here}`,
    `gcloud compute networks list '--filter=name=${NAME} AND autoCreateSubnetworks=true' '--format=value(name)' ${here} | xargs -r gcloud compute networks delete --quiet ${here}`,
  ];
}

const lastPart = (url: string | undefined) => url?.split("/").at(-1);
