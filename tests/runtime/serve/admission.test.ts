import { Admission, NoPlaceError, type Turn } from "../../../runtime/serve/admission";

const stays = new AbortController().signal;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when it is told to. */
function held() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end: () => end(), work: () => ended };
}

describe("places", () => {
  test("are the work's: free again when it ends, however it ends", async () => {
    const admission = new Admission(2);
    const [one, two] = [held(), held()];
    const done = [admission.admit(false, stays, one.work), admission.admit(false, stays, two.work)];
    expect(admission.size).toBe(2);
    await expect(admission.admit(false, stays, async () => 1)).rejects.toThrow(NoPlaceError);
    one.end();
    await done[0];
    expect(admission.size).toBe(1);
    await expect(admission.admit(false, stays, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await admission.admit(false, stays, async () => 1)).toBe(1);
    two.end();
    await done[1];
    expect(admission.size).toBe(0);
  });

  test.each([
    [1, 1],
    [3, 1],
    [8, 2],
  ])("of %i, large work fills %i", async (places, large) => {
    const admission = new Admission(places);
    const { end, work } = held();
    const done = Array.from({ length: large }, () => admission.admit(true, stays, work));
    await expect(admission.admit(true, stays, work)).rejects.toMatchObject({
      name: "NoPlaceError",
      large: places > 1,
    });
    if (places > large) expect(await admission.admit(false, stays, async () => "in")).toBe("in");
    end();
    await Promise.all(done);
    expect(await admission.admit(true, stays, async () => "in")).toBe("in");
  });
});

describe("turns", () => {
  /** Three parts with a pause after each but the last. */
  const parts = (name: string, said: string[]) => (turn: Turn) =>
    turn.during(async () => {
      for (let part = 1; part <= 3; part++) {
        said.push(`${name}${part}`);
        await tick();
        if (part < 3) await turn.pass();
      }
    });

  test("go round: what comes later does not wait for the end of what is long", async () => {
    const admission = new Admission(8);
    const said: string[] = [];
    await Promise.all(["a", "b", "c"].map((name) => admission.admit(false, stays, parts(name, said))));
    expect(said).toEqual(["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]);
  });

  test("of small work wait for one part of large work at most, and large work waits for one small", async () => {
    const admission = new Admission(16);
    const said: string[] = [];
    const work = ["L", "M", "N"].map((name) => admission.admit(true, stays, parts(name, said)));
    work.push(...["a", "b"].map((name) => admission.admit(false, stays, parts(name, said))));
    await Promise.all(work);
    expect(said.slice(0, 8)).toEqual(["L1", "a1", "M1", "b1", "N1", "a2", "L2", "b2"]);
    expect(said).toHaveLength(15);
  });

  test("are given on when a part fails", async () => {
    const admission = new Admission(8);
    const broken = admission.admit(false, stays, (turn) =>
      turn.during(async () => {
        await tick();
        throw new Error("broken");
      }),
    );
    const next = admission.admit(false, stays, (turn) => turn.during(async () => "next"));
    await expect(broken).rejects.toThrow("broken");
    expect(await next).toBe("next");
  });

  test("of one that has gone are not taken, its place is free at once, and no turn is lost", async () => {
    const admission = new Admission(3);
    const first = held();
    const gone = new AbortController();
    const left = new Error("left");
    const said: string[] = [];
    const running = admission.admit(false, stays, (turn) => turn.during(first.work));
    const waiting = admission.admit(false, gone.signal, parts("gone", said));
    const last = admission.admit(false, stays, parts("last", said));
    gone.abort(left);
    await expect(waiting).rejects.toBe(left);
    expect(admission.size).toBe(2);
    first.end();
    await Promise.all([running, last]);
    expect(said).toEqual(["last1", "last2", "last3"]);
  });

  test("of one that leaves as its turn comes is given on before its work begins", async () => {
    const admission = new Admission(3);
    const gone = new AbortController();
    let begun = false;
    const leaving = admission.admit(false, gone.signal, (turn) =>
      turn.during(async () => {
        begun = true;
      }),
    );
    // Its close is read in the event loop's next round.
    setImmediate(() => gone.abort(new Error("left")));
    const next = admission.admit(false, stays, (turn) => turn.during(async () => "next"));
    await expect(leaving).rejects.toThrow("left");
    expect(begun).toBe(false);
    expect(await next).toBe("next");
  });

  test("of one that goes between two parts end there", async () => {
    const admission = new Admission(3);
    const gone = new AbortController();
    const said: string[] = [];
    const work = admission.admit(false, gone.signal, (turn) =>
      turn.during(async () => {
        said.push("one");
        gone.abort(new Error("left"));
        await turn.pass();
        said.push("two");
      }),
    );
    await expect(work).rejects.toThrow("left");
    expect(said).toEqual(["one"]);
    expect(await admission.admit(false, stays, (turn) => turn.during(async () => "free"))).toBe("free");
  });
});
