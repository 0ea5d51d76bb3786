import { type Lane, priceOf, Queue } from "../../../runtime/serve/queue";

const stays = new AbortController().signal;
const tick = () => new Promise((resolve) => setImmediate(resolve));
const SMALL = { units: 1, large: false };
const LARGE = { units: 10, large: true };

/** Work in a lane that ends when it is told to, and says when it has begun. */
function held() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const state = { begun: false };
  return {
    state,
    end: () => end(),
    work: (lane: Lane) =>
      lane(() => {
        state.begun = true;
        return ended;
      }),
  };
}

const queue = (places: number, lanes = 1, patience = 1e9) => new Queue({ places, lanes, patience });

test("a file's price grows with its pages and its pixels; several pages, or very many pixels, are large", () => {
  expect(priceOf({ pages: 1, pixels: 256 * 256 })).toMatchObject({ large: false });
  expect(priceOf({ pages: 1, pixels: 256 * 256 }).units).toBeCloseTo(1.07, 2);
  expect(priceOf({ pages: 64, pixels: 64 * 2 ** 20 })).toMatchObject({ large: true });
  expect(priceOf({ pages: 64, pixels: 64 * 2 ** 20 }).units).toBeGreaterThan(128);
  expect(priceOf({ pages: 1, pixels: 20_000_000 })).toEqual({ units: 21, large: true });
});

describe("places", () => {
  test("are the work's: free again when it ends, however it ends", async () => {
    const narrow = queue(2);
    const [one, two] = [held(), held()];
    const done = [narrow.admit(SMALL, stays, one.work), narrow.admit(SMALL, stays, two.work)];
    expect(narrow.size).toBe(2);
    expect(() => narrow.check()).toThrow(expect.objectContaining({ status: 503, code: "busy" }));
    await expect(narrow.admit(SMALL, stays, async () => 1)).rejects.toMatchObject({ code: "busy" });
    one.end();
    await done[0];
    expect(narrow.size).toBe(1);
    narrow.check();
    await expect(narrow.admit(SMALL, stays, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await narrow.admit(SMALL, stays, async () => 1)).toBe(1);
    two.end();
    await done[1];
    expect(narrow.size).toBe(0);
  });

  test.each([
    [1, 1],
    [3, 1],
    [8, 2],
  ])("of %i, large work fills %i", async (places, large) => {
    const narrow = queue(places);
    const each = Array.from({ length: large }, held);
    const done = each.map(({ work }) => narrow.admit(LARGE, stays, work));
    const refused = { code: "busy", detail: expect.stringMatching(places > 1 ? /large scans/ : /many scans/) };
    await expect(narrow.admit(LARGE, stays, async () => 1)).rejects.toMatchObject(refused);
    if (places > large) expect(await narrow.admit(SMALL, stays, async () => "in")).toBe("in");
    for (const { end } of each) end();
    await Promise.all(done);
    expect(await narrow.admit(LARGE, stays, async () => "in")).toBe("in");
  });

  test("are given while what is inside takes no longer than the patience; Retry-After says how long it takes", async () => {
    const patient = queue(100, 1, 20);
    const slow = held();
    const done = patient.admit({ units: 10_000, large: false }, stays, slow.work);
    const wait = patient.wait;
    expect(wait).toBeGreaterThan(20);
    const refused = { code: "busy", headers: { "retry-after": String(Math.min(300, Math.ceil(wait))) } };
    await expect(patient.admit(SMALL, stays, async () => 1)).rejects.toMatchObject(refused);
    slow.end();
    await done;
    expect(patient.wait).toBe(0);
    expect(await patient.admit(SMALL, stays, async () => 1)).toBe(1);
  });

  test("the wait is learnt from what work took", async () => {
    const learning = queue(100, 2);
    const of = (units: number) => {
      const work = held();
      void learning.admit({ units, large: false }, stays, work.work);
      const { wait } = learning;
      work.end();
      return wait;
    };
    const first = of(100);
    await tick();
    for (let i = 0; i < 60; i++) await learning.admit({ units: 1000, large: false }, stays, (lane) => lane(tick));
    const later = of(100);
    expect(later).toBeLessThan(first / 50);
    expect(later).toBeGreaterThan(0);
  });
});

describe("lanes", () => {
  test("so many do their work at a time; what is done in none of them is in nobody's way", async () => {
    const two = queue(8, 2);
    const works = [held(), held(), held()];
    const done = works.map(({ work }) => two.admit(SMALL, stays, work));
    expect(await two.admit(SMALL, stays, async () => "outside")).toBe("outside");
    expect(works.map(({ state }) => state.begun)).toEqual([true, true, false]);
    works[1]?.end();
    await done[1];
    await tick();
    expect(works[2]?.state.begun).toBe(true);
    for (const { end } of works) end();
    await Promise.all(done);
  });

  test("large work leaves one of them to small work, and takes turns with it", async () => {
    const two = queue(16, 2);
    const large = [held(), held()];
    const small = [held(), held()];
    const done = [
      ...large.map(({ work }) => two.admit(LARGE, stays, work)),
      ...small.map(({ work }) => two.admit(SMALL, stays, work)),
    ];
    await tick();
    expect([...large, ...small].map(({ state }) => state.begun)).toEqual([true, false, true, false]);
    small[0]?.end();
    await tick();
    expect(small[1]?.state.begun).toBe(true);
    expect(large[1]?.state.begun).toBe(false);
    for (const { end } of [...large, ...small]) end();
    await Promise.all(done);
  });

  test("with one lane small work waits for one large work at most", async () => {
    const one = queue(16);
    const said: string[] = [];
    const say = (name: string) => (lane: Lane) =>
      lane(async () => {
        said.push(name);
        await tick();
      });
    await Promise.all([
      one.admit(LARGE, stays, say("large 1")),
      one.admit(LARGE, stays, say("large 2")),
      one.admit(LARGE, stays, say("large 3")),
      one.admit(SMALL, stays, say("small 1")),
      one.admit(SMALL, stays, say("small 2")),
    ]);
    expect(said).toEqual(["large 1", "small 1", "large 2", "small 2", "large 3"]);
  });
});

describe("who leaves", () => {
  test.each(["waiting for its turn", "at work", "at work outside of a lane"])(
    "while %s frees the place at once, and is told why",
    async (when) => {
      const narrow = queue(2);
      const other = held();
      const client = new AbortController();
      const never = new Promise<never>(() => {});
      const first = when === "waiting for its turn" ? narrow.admit(SMALL, stays, other.work) : undefined;
      const gone = narrow.admit(SMALL, client.signal, (lane) =>
        when === "at work outside of a lane" ? never : lane(() => never),
      );
      await tick();
      const { size } = narrow;
      client.abort(new Error("left"));
      await expect(gone).rejects.toThrow("left");
      expect(narrow.size).toBe(size - 1);
      other.end();
      await first;
      // Its lane is free too.
      expect(await narrow.admit(SMALL, stays, (lane) => lane(async () => "next"))).toBe("next");
    },
  );

  test("before it came in takes no place", async () => {
    const narrow = queue(1);
    await expect(narrow.admit(SMALL, AbortSignal.abort(new Error("left")), async () => 1)).rejects.toThrow("left");
    expect(narrow.size).toBe(0);
  });

  test("a place that is freed in the next turns of the event loop is found", async () => {
    const narrow = queue(1);
    const client = new AbortController();
    const gone = narrow.admit(SMALL, client.signal, () => new Promise<never>(() => {}));
    const told = expect(gone).rejects.toThrow("left");
    setImmediate(() => client.abort(new Error("left")));
    expect(await narrow.admit(SMALL, stays, async () => "in")).toBe("in");
    await told;
  });
});

test("large work that takes longer than anybody waits sends large work away, and not what is soon done", async () => {
  const busy = queue(16, 2, 5);
  const [one, two] = [held(), held()];
  // At the first guess of 50 ms a unit, over two lanes.
  const slow = { units: 150, large: true };
  const done = [busy.admit(slow, stays, one.work), busy.admit(slow, stays, two.work)];
  await expect(busy.admit(slow, stays, async () => 1)).rejects.toMatchObject({ code: "busy" });
  busy.check();
  expect(await busy.admit(SMALL, stays, (lane) => lane(async () => 1))).toBe(1);
  one.end();
  two.end();
  await Promise.all(done);
});
