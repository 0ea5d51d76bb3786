import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import sharp from "sharp";
import { type LoadMeasurement, type LoadPlan, LoadRecord, latenciesOf, loadSchema, quantile } from "../../bench/load";
import { measureTree, ProcessTree } from "../../bench/process-tree";
import { serveBenchOptions } from "../../bench/serve";
import {
  agreementOf,
  describeOverload,
  disagreement,
  memoryOf,
  type SideMeasurement,
  sidesTable,
} from "../../bench/serve-report";
import { writeScans } from "../../bench/serve-scans";

const nothing: LoadMeasurement = { seconds: 1, answers: 0, refused: 0, failed: 0, answered: null, drawn: null };

describe("options of npm run bench -- serve", () => {
  test("have defaults", () => {
    const parts = ["peers", "memory", "overload"];
    expect(serveBenchOptions({})).toEqual({ parts, seconds: 10, longSeconds: 600, epochs: 2, seed: 0 });
    expect(serveBenchOptions({ parts: "overload", seconds: "3" })).toMatchObject({ parts: ["overload"], seconds: 3 });
  });

  test("are refused all at once", () => {
    const wrong = { parts: "peers,speed", seconds: "0", long: "x", epochs: "1.5", data: "a", workspace: "b" };
    expect(() => serveBenchOptions(wrong)).toThrow(
      /--parts: there is no speed; there are peers, memory, overload[\s\S]*--seconds: "0"[\s\S]*--long: "x"[\s\S]*--epochs: "1.5"[\s\S]*--data and --workspace exclude/,
    );
  });
});

describe("what is made of measurements", () => {
  test("quantiles are values that were measured", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile([7], 0.99)]).toEqual([50, 99, 7]);
    expect(latenciesOf([30, 10, 20])).toEqual({ p50: 20, p99: 30, longest: 30 });
    expect(latenciesOf([])).toBeNull();
  });

  test("answers, refusals and failures are told apart, and the first failure is kept", () => {
    const record = new LoadRecord();
    expect(record.answer(200, '{"overlay":"/o"}', 5)).toBe("/o");
    expect(record.answer(503, "busy", 1)).toBeUndefined();
    expect(record.answer(422, "no picture")).toBeUndefined();
    record.overlay(500, "broken");
    record.overlay(200, "image/png", 9);
    expect(record.measurement()).toMatchObject({
      ...{ answers: 1, refused: 1, failed: 2, failure: "POST gave 422: no picture" },
      ...{ answered: { longest: 5 }, drawn: { longest: 9 } },
    });
  });

  test("memory is compared by the medians of both ends", () => {
    const samples = [...Array(10).fill(100), ...Array(80).fill(150), ...Array(9).fill(120), 900];
    expect(memoryOf(samples)).toEqual({ begin: 100, end: 120, most: 900 });
    expect(memoryOf([5])).toEqual({ begin: 5, end: 5, most: 5 });
  });

  const side = (name: SideMeasurement["side"], answersPerSecond: number, cpuMsPerAnswer: number): SideMeasurement => ({
    ...{ side: name, connections: 4, answersPerSecond, cpuMsPerAnswer, half: nothing, memoryMiB: 300 },
  });

  test("ratios are ours over the peer's in answers, and the peer's over ours in processor time", () => {
    const lines = sidesTable([side("ours", 50, 30), side("keras-predict", 10, 180)]).split("\n");
    expect(lines.at(-2)).toMatch(/^ours +50\.0 +30\.0 +4 /);
    expect(lines.at(-1)).toMatch(/^keras-predict +10\.0 +5\.00 +180\.0 +6\.00 +4 /);
  });

  test("an answer after the deadline is told", () => {
    const overload = { times: 10, load: nothing, goodput: 0.9, longest: 29_000, deadline: 30_000, after: 1 };
    expect(describeOverload(overload)).toMatch(/29\.00 s, so none came after the deadline of 30 s/);
    expect(describeOverload({ ...overload, longest: 30_001 })).toMatch(/at least one came after/);
  });
});

describe("a peer is compared only where it answers as ours does", () => {
  const ours = [
    { probability: 0.9, map: [1, 0, -1, 0] },
    { probability: 0.2, map: [0, 2, 0, 1] },
  ];
  const peer = (change: (answer: (typeof ours)[number]) => object) =>
    agreementOf(
      ours,
      ours.map((answer) => ({ ...answer, ...change(answer) })),
    );
  const problem = (change: Parameters<typeof peer>[0]) => disagreement("onnxruntime", peer(change));

  test("a little away is near", () => {
    expect(peer(() => ({}))).toEqual({ scans: 2, probability: 0, maps: expect.closeTo(1, 12) });
    expect(problem(({ probability, map }) => ({ probability: probability + 0.01, map: map.map((x) => 3 * x) }))).toBe(
      undefined,
    );
  });

  test.each<[string, Parameters<typeof peer>[0]]>([
    ["another probability of one scan", ({ probability }) => (probability > 0.5 ? { probability: 0.87 } : {})],
    ["a map turned round", ({ map }) => ({ map: map.map((x) => -x) })],
    ["a map of another size", () => ({ map: [1] })],
    ["no number", () => ({ probability: Number.NaN })],
    ["an empty map", () => ({ map: [0, 0, 0, 0] })],
  ])("refuses %s", (_, change) => {
    expect(problem(change)).toMatch(
      /^onnxruntime answers something else than ours: on 2 scans .* nothing to compare\.$/,
    );
  });
});

describe("a command that is watched", () => {
  const node = (script: string, options = {}) => measureTree(process.execPath, ["-e", script], options);

  test("has ended when it has, also where what it left behind holds its output open", async () => {
    const left = `require("node:child_process").spawn("sleep", ["60"], { stdio: "inherit", detached: true })`;
    const { stdout } = await node(`const child = ${left}; console.log(child.pid); process.exit()`);
    // Still there: it was not waited for.
    expect(process.kill(Number(stdout))).toBe(true);
  });

  test("is ended when it takes too long", async () => {
    await expect(node("setInterval(() => {}, 1000)", { patience: 1 })).rejects.toThrow(/did not end within 1 s\./);
  });

  test("that cannot be started, or fails, is an error that says why", async () => {
    await expect(measureTree("/nowhere/at-all", [])).rejects.toThrow(/ENOENT/);
    await expect(node("console.error('too bad'); process.exit(3)")).rejects.toThrow(/ended with 3:\ntoo bad/);
  });

  test("is looked at to an end where two processes name each other as parent", () => {
    const tree = new ProcessTree(process.pid);
    const belongs = (parents: readonly (readonly [number, number])[]) =>
      (tree as unknown as { belongs(pid: number, parents: Map<number, number>): boolean }).belongs(
        50,
        new Map(parents),
      );
    expect(
      belongs([
        [50, 51],
        [51, 50],
      ]),
    ).toBe(false);
    expect(
      belongs([
        [50, 51],
        [51, process.pid],
      ]),
    ).toBe(true);
  });
});

describe("load", () => {
  let folder: string;
  let server: Server;
  let answered: number;
  let asked: string[];
  let busy: boolean;
  let broken: boolean;
  let bodies: Set<string>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bench-load-"));
    await writeScans(folder, 1, 3);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(async () => {
    [asked, busy, broken, bodies, answered] = [[], false, false, new Set(), 0];
    server = createServer(async (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      if (request.method === "GET") return response.setHeader("content-type", "image/png").end(Buffer.alloc(9, 0xff));
      bodies.add(Buffer.concat(parts).toString("base64"));
      await setTimeout(20);
      if (broken)
        return response.writeHead(200, { "content-length": 1000 }).write("{", () => request.socket.resetAndDestroy());
      return response.writeHead(busy ? 503 : 200).end(JSON.stringify({ overlay: `/overlay-${++answered}` }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => server.close());

  async function put(how: LoadPlan["how"], overlay = true): Promise<LoadMeasurement> {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const plan: LoadPlan = { urls: [url], scans: { folder, count: 3, from: 0 }, overlay, how };
    const script = resolve(__dirname, "../../dist/bench/load-once.js");
    const child = spawn(process.execPath, [script, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    for await (const text of child.stdout) said += text;
    return loadSchema.parse(JSON.parse(said));
  }
  const count = (what: string) => asked.filter((one) => one.startsWith(what)).length;

  test.each([
    ["of connections", { connections: 2, answers: 3 }],
    ["at a rate", { rate: 60, seconds: 0.1 }],
  ])("%s asks for every answer's overlay, with one scan after the other", async (_, how) => {
    expect(await put(how)).toMatchObject({ answers: 6, refused: 0, failed: 0 });
    expect(asked.filter((one) => one === "POST /v1/predictions")).toHaveLength(6);
    expect(new Set(asked.filter((one) => one.startsWith("GET /overlay-"))).size).toBe(6);
    expect(bodies).toEqual(new Set([0, 1, 2].map((i) => readFileSync(join(folder, `${i}.png`)).toString("base64"))));
  });

  test.each([
    ["of connections", { connections: 1, answers: 2 }],
    ["at a rate", { rate: 20, seconds: 0.1 }],
  ])("%s asks for no overlay of who is sent away, nor where none are wanted", async (_, how) => {
    expect(await put(how, false)).toMatchObject({ answers: 2 });
    expect(count("GET")).toBe(0);
    busy = true;
    const { answers, refused } = await put(how);
    expect(answers).toBe(0);
    expect(refused).toBeGreaterThanOrEqual(2);
    expect(count("GET")).toBe(0);
  });

  test("of connections that break within an answer ends, and says so", async () => {
    broken = true;
    expect(await put({ connections: 2, answers: 500 })).toMatchObject({ answers: 0, failed: expect.any(Number) });
    expect(count("POST")).toBeLessThan(1000);
  });

  test("scans all have other pixels, and one size", async () => {
    const raws = await Promise.all(
      [0, 1, 2].map((i) =>
        sharp(join(folder, `${i}.png`))
          .raw()
          .toBuffer({ resolveWithObject: true }),
      ),
    );
    expect(raws.map(({ info }) => [info.width, info.height])).toEqual(Array(3).fill([256, 256]));
    expect(new Set(raws.map(({ data }) => data.toString("base64"))).size).toBe(3);
  });
});
