import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { InclusionProof } from "../../../runtime/audit";
import { leafOfRow, newSalt, proveConsistency, proveInclusion, writeErasure } from "../../../runtime/audit";
import { digestOf, type SealedRow } from "../../../runtime/audit/leaf";
import type { ObjectStore } from "../../../runtime/platform/stores";
import { openStore } from "../../../runtime/platform/stores";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { AuditedWorkspace, auditRow, feedbackRow, predictionRow } from "../../support/audited-workspace";
import { judge } from "../../support/merkle-judge";
import { stopProcess } from "../../support/processes";
import { until } from "../../support/served-model";

const MAIN = resolve(__dirname, "../../../dist/runtime/cli/main.js");
const [DAY_1, DAY_2] = ["2026-11-25T20:00:00.000Z", "2026-11-26T20:00:00.000Z"] as const;
const at = (day: number, minute: number) => `2026-11-${24 + day}T10:${String(minute).padStart(2, "0")}:00.000Z`;

let root: string;
/** Sealed on two days: leaves 0 to 3, and 4 to 8. `day 1` is as it was in between. */
let base: AuditedWorkspace;
let yesterday: string;
let copies = 0;

const FIRST = {
  "predictions/p1": [predictionRow("p1", at(1, 1))],
  "audit/p1-a": [auditRow("p1", at(1, 1))],
  "predictions/p2": [predictionRow("p2", at(1, 2))],
  "audit/p2-a": [auditRow("p2", at(1, 2))],
};
const SECOND = {
  "predictions/scored/cnn-1/x": ["s1", "s2", "s3"].map((name, i) =>
    predictionRow(`scored/cnn-1/x/${name}`, at(2, 1), i / 10),
  ),
  "feedback/f1": [feedbackRow("f1", "p1", at(2, 2))],
  "audit/q-promote": [auditRow("q", at(2, 3), "promote")],
};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "audit-log-"));
  base = new AuditedWorkspace(join(root, "base"));
  await base.write(FIRST);
  await base.seal(DAY_1);
  yesterday = join(root, "yesterday");
  cpSync(base.folder, yesterday, { recursive: true });
  await base.write(SECOND);
  await base.seal(DAY_2);
});
afterAll(() => rmSync(root, { recursive: true }));

/** One that may be spoilt. */
function copy(of: string = base.folder): AuditedWorkspace {
  const made = new AuditedWorkspace(join(root, `copy-${++copies}`));
  cpSync(of, made.folder, { recursive: true });
  return made;
}

/** Kinds and sentences of what is found. */
async function found(workspace: AuditedWorkspace, archive = true) {
  const { ok, findings } = await workspace.verify({ archive });
  expect(ok).toBe(findings.length === 0);
  return findings.map(({ kind, leaf, sentence }) => `${kind} ${leaf ?? "-"}: ${sentence}`);
}

test("a log that nobody touched is as it was sealed, here and in the archive; new rows wait", async () => {
  const workspace = copy();
  expect(await workspace.verify()).toMatchObject({
    ...{ ok: true, findings: [], notes: [], leaves: 9, archived: 9, rows: 9, pending: 0, through: DAY_2 },
  });
  await workspace.write({ "predictions/p9": [predictionRow("p9", at(3, 1))] });
  expect(await workspace.verify()).toMatchObject({ ok: true, rows: 10, pending: 1 });
  const alone = await workspace.verify({ archive: false });
  expect(alone).toMatchObject({ ok: true, archived: null });
  expect(alone.notes.join()).toMatch(
    /^Without an archive it cannot be seen whether all of it, rows and log, was put back/,
  );
  // Nothing of a row leaves the workspace.
  const archived = readdirSync(join(workspace.archive, "log"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${name} ${readFileSync(join(parentPath, name), "utf8")}`)
    .join("\n");
  // A signature may hold two letters of a name by chance.
  for (const told of ["p1", "scored", "dr@hospital.org", "a".repeat(64), "b".repeat(64), "seen again"])
    expect(archived).not.toMatch(new RegExp(`(?<![\\w+/=-])${told}(?![\\w+/=-])`));
});

test("what is sealed is sealed once: without the files that say which row a leaf is of, nothing is", async () => {
  const bare = copy();
  rmSync(bare.path("audit", "seals"), { recursive: true });
  await expect(bare.seal("2026-11-27T20:00:00.000Z")).rejects.toThrow(/missing for \d+ of \d+ leaves.*Beginning anew/);
});

describe("verify finds and locates", () => {
  test("an edit", async () => {
    const workspace = copy();
    workspace.edit(workspace.rows("predictions/p2"), (text) =>
      text.replace('"probability":0.25', '"probability":0.75'),
    );
    expect(await found(workspace)).toEqual([
      `changed 3: Leaf 3, row 1 of predictions/p2, was changed after it was sealed (up to ${DAY_1}).`,
    ]);
    expect(await found(workspace, false)).toHaveLength(1);
  });

  test("an edit of a salt, and of bytes behind the store's back", async () => {
    const workspace = copy();
    workspace.edit(workspace.rows("audit/p1-a"), (text) => text.replace(/"salt":"[0-9a-f]+"/, `"salt":"${newSalt()}"`));
    appendFileSync(workspace.rows("feedback/f1"), "{}\n");
    expect(await found(workspace)).toEqual([
      expect.stringMatching(/^changed 0: Leaf 0, row 1 of audit\/p1-a, was changed/),
      expect.stringMatching(/^unreadable 7: Leaf 7, row 1 of feedback\/f1: .* cannot be read/),
    ]);
  });

  test("a deletion, of a batch and of one of its rows", async () => {
    const workspace = copy();
    rmSync(workspace.rows("predictions/p1"));
    workspace.edit(workspace.rows("predictions/scored/cnn-1/x"), (text) =>
      text.split("\n").slice(0, 2).join("\n").concat("\n"),
    );
    expect(await found(workspace)).toEqual([
      `deleted 1: Leaf 1, row 1 of predictions/p1, which was sealed up to ${DAY_1}, is not there any more.`,
      `deleted 6: Leaf 6, row 3 of predictions/scored/cnn-1/x, which was sealed up to ${DAY_2}, is not there any more.`,
    ]);
  });

  test("another order, within a batch, of two batches, and under another name", async () => {
    const workspace = copy();
    workspace.edit(workspace.rows("predictions/scored/cnn-1/x"), (text) => {
      const [a, b, c] = text.split("\n");
      return `${b}\n${a}\n${c}\n`;
    });
    const [p1, p2] = ["p1", "p2"].map((name) => readFileSync(workspace.rows(`predictions/${name}`), "utf8"));
    workspace.edit(workspace.rows("predictions/p1"), () => p2 as string);
    workspace.edit(workspace.rows("predictions/p2"), () => p1 as string);
    renameSync(workspace.rows("audit/p1-a"), workspace.rows("audit/moved"));
    const sentences = await found(workspace);
    expect(sentences.map((sentence) => sentence.split(":")[0]).sort()).toEqual(
      [0, 1, 3, 4, 5].map((leaf) => `reordered ${leaf}`),
    );
    expect(sentences.join("\n")).toContain(
      "Leaf 4: row 1 of predictions/scored/cnn-1/x lies elsewhere now, as row 2 of predictions/scored/cnn-1/x: rows were put in another order.",
    );
  });

  test("an insertion: of a row of yesterday, into a batch, and of a copy; sealed later, it is known all the same", async () => {
    const workspace = copy();
    await workspace.write({ "predictions/p3": [predictionRow("p3", at(2, 0))] });
    const [line] = readFileSync(workspace.rows("predictions/p1"), "utf8").split("\n");
    workspace.edit(workspace.rows("predictions/copied"), () => `${line}\n`);
    workspace.edit(workspace.rows("predictions/scored/cnn-1/x"), (text) => `${text}${line?.replace("0.25", "0.26")}\n`);
    expect(await found(workspace)).toEqual([
      "inserted 1: A copy of leaf 1 was inserted: row 1 of predictions/copied.",
      expect.stringMatching(
        /^inserted -: Row 1 of predictions\/p3 says 2026-11-26T10:00:00.000Z, and the seal of 2026-11-26T20:00:00.000Z did not find it/,
      ),
      "inserted -: Row 4 of predictions/scored/cnn-1/x was inserted into rows that were sealed without it.",
    ]);
    const { late, added } = await workspace.seal("2026-11-27T20:00:00.000Z");
    expect(added).toBe(0);
    expect(late.map(({ batch }) => batch).sort()).toEqual(["copied", "p3"]);
  });

  test("a row of a sealed day does not come in beside one of now", async () => {
    const workspace = copy();
    await workspace.write({ "predictions/p4": [predictionRow("p4", at(2, 0)), predictionRow("p5", at(3, 0))] });
    expect(await found(workspace)).toEqual([expect.stringMatching(/^inserted -: Row 1 of predictions\/p4 says /)]);
    const { late, added } = await workspace.seal("2026-11-27T20:00:00.000Z");
    expect([added, late.map(({ batch }) => batch)]).toEqual([0, ["p4"]]);
  });

  test("a late row that was taken in is said to be one, and by whom it was taken in is a leaf too", async () => {
    const workspace = copy();
    await workspace.write({ "predictions/p3": [predictionRow("p3", at(2, 0))] });
    expect(await workspace.seal("2026-11-27T20:00:00.000Z", { late: true })).toMatchObject({ added: 2, size: 11 });
    const verified = await workspace.verify();
    expect(verified).toMatchObject({ ok: true, leaves: 11 });
    expect(verified.notes.join()).toMatch(/^1 leaves say a time before an earlier seal, and were taken in/);
    // Somebody makes the act disappear: what it excused is a finding again, and so is the act.
    const act = readdirSync(workspace.path("warehouse", "audit")).find((name) =>
      /^[0-9a-f-]{36}-[0-9a-f]{16}\.jsonl$/.test(name),
    );
    rmSync(workspace.path("warehouse", "audit", act as string));
    expect((await found(workspace)).map((sentence) => sentence.split(":")[0])).toEqual(["deleted 10", "late 9"]);
  });

  test("what was written beside a sealed row, in a column that no leaf holds; an empty one says nothing", async () => {
    const workspace = copy();
    workspace.edit(workspace.rows("feedback/f1"), (text) => text.replace("{", '{"ward":null,'));
    expect(await found(workspace)).toEqual([]);
    workspace.edit(workspace.rows("predictions/p2"), (text) => text.replace("{", '{"ward":"7",'));
    expect(await found(workspace)).toEqual([
      expect.stringMatching(
        /^unreadable 3: Leaf 3, row 1 of predictions\/p2: .*line 1 has ward, of which this version does not know/,
      ),
    ]);
  });

  test("what says which row each leaf is of: missing, damaged, and changed by who does not have the key", async () => {
    const missing = copy();
    rmSync(missing.path("audit", "seals", "000000000000.jsonl"));
    expect(await found(missing)).toEqual([
      "damaged-log 0: What was written down of them in audit/seals is missing. Of leaves from 0 on it is not known which rows they were of: another order of these is not seen.",
    ]);
    rmSync(missing.path("audit", "seals"), { recursive: true });
    expect((await found(missing)).map((sentence) => sentence.split(":")[0])).toEqual(["damaged-log 0"]);
    const changed = copy();
    changed.edit(changed.path("audit", "seals", "000000000004.jsonl"), (text) => {
      const [head, a, b, ...others] = text.split("\n");
      return [head, b, a, ...others].join("\n");
    });
    expect((await found(changed))[0]).toMatch(
      /^damaged-log 4: audit\/seals\/000000000004.jsonl, .* is not signed by the log's key: somebody wrote or changed it\. Of leaves from 4 on/,
    );
    await expect(changed.seal("2026-11-27T20:00:00.000Z")).rejects.toThrow(/is not signed by the log's key/);
  });

  test("a plan that somebody else wrote: the next seal does not carry it out", async () => {
    const workspace = copy();
    const row = predictionRow("p3", at(2, 0));
    await workspace.write({ "predictions/p3": [row] });
    // All that a seal would have planned, in its words; even with a signature of its own, of another plan.
    const [head] = readFileSync(workspace.path("audit", "seals", "000000000004.jsonl"), "utf8").split("\n");
    const leaf = { table: "predictions", digest: digestOf("predictions", row), batch: "p3", row: 0 };
    for (const first of [JSON.stringify({ through: DAY_2, last: at(2, 0) }), head]) {
      workspace.edit(
        workspace.path("audit", "seals", "000000000009.jsonl"),
        () => `${first}\n${JSON.stringify(leaf)}\n`,
      );
      await expect(workspace.seal("2026-11-27T20:00:00.000Z")).rejects.toThrow(
        /seals\/000000000009.jsonl, .* is not signed by the log's key/,
      );
      expect((await found(workspace)).map((sentence) => sentence.split(":")[0])).toEqual([
        "damaged-log 9",
        "inserted -",
      ]);
    }
    rmSync(workspace.path("audit", "seals", "000000000009.jsonl"));
    expect(await workspace.seal("2026-11-27T20:00:00.000Z")).toMatchObject({ added: 0, late: [{ batch: "p3" }] });
  });

  test("rows that were erased, apart from others, once the act that names them is a leaf; the rows behind them keep their order", async () => {
    const workspace = copy();
    const space = await openWorkspace(workspace.out);
    const scored = SECOND["predictions/scored/cnn-1/x"];
    const [asked] = FIRST["audit/p1-a"];
    const stays = { ...asked, salt: undefined, subject: null, sha256: null } as unknown as typeof asked;
    const erasure = {
      leaves: [leafOfRow("predictions", scored[0] as SealedRow), leafOfRow("audit", asked as SealedRow)],
      kept: [leafOfRow("audit", stays as SealedRow)],
    };
    const parts = { reports: space.buckets.reports, warehouse: space.warehouse };
    await writeErasure(parts, "mark", erasure, new Date(at(3, 1)));
    await space.close();
    const take = (all: string) => all.split("\n").slice(1).join("\n");
    workspace.edit(workspace.rows("predictions/scored/cnn-1/x"), take);
    workspace.edit(workspace.rows("audit/p1-a"), () => `${JSON.stringify(stays)}\n`);
    const kinds = async (of = workspace) => (await found(of)).map((sentence) => sentence.split(":")[0]);
    // Until a seal has taken the act, anybody could have written it.
    expect((await kinds()).sort()).toEqual(["changed 0", "deleted 4", "reordered 5", "reordered 6"]);
    expect((await workspace.verify()).notes.join()).toMatch(/1 erasures are written down and not sealed yet/);
    await workspace.seal("2026-11-27T20:00:00.000Z");
    expect(await workspace.verify()).toMatchObject({ ok: true, leaves: 10, findings: [] });
    expect((await workspace.verify()).notes.join()).toMatch(
      /^2 leaves have lost their rows, or what linked these, by 1 /,
    );

    const more = copy(workspace.folder);
    rmSync(more.rows("predictions/p2"));
    more.edit(more.rows("predictions/scored/cnn-1/x"), (all) =>
      all.split("\n").slice(0, 2).reverse().join("\n").concat("\n"),
    );
    more.edit(more.rows("audit/p1-a"), (text) => text.replace("dr@hospital.org", "nobody@hospital.org"));
    expect((await kinds(more)).sort()).toEqual(["changed 0", "deleted 3", "reordered 5", "reordered 6"]);
    // What was written down afterwards names more: it is not what the act has the hash of.
    const forged = copy(workspace.folder);
    const [file] = readdirSync(forged.path("reports", "forgotten", "mark"));
    rmSync(forged.rows("predictions/p2"));
    const other = leafOfRow("predictions", FIRST["predictions/p2"][0] as SealedRow);
    forged.edit(forged.path("reports", "forgotten", "mark", file as string), (text) =>
      text.replace('"leaves": [', `"leaves": ["${other}",`),
    );
    expect(await kinds(forged)).toContain("deleted 3");
  });

  test("a tail that was cut from rows and log alike, by the archive alone", async () => {
    const workspace = copy();
    for (const name of ["predictions/scored/cnn-1/x", "feedback/f1", "audit/q-promote"]) rmSync(workspace.rows(name));
    for (const folder of ["seals", "entries"]) rmSync(workspace.path("audit", folder, "000000000004.jsonl"));
    rmSync(workspace.path("audit", "checkpoints", "000000000009"));
    const sentences = await found(workspace);
    expect(sentences[0]).toBe(
      `rolled-back 4: The log here ends with 4 leaves, and the archive knows 9: its tail was cut, or all of it was put back to the state of ${DAY_1}. Leaves 4 to 8, sealed up to ${DAY_2}, are missing here.`,
    );
    expect(sentences.slice(1).map((sentence) => sentence.split(":")[0])).toEqual(
      [4, 5, 6, 7, 8].map((i) => `deleted ${i}`),
    );
    expect(await found(workspace, false)).toEqual([]);
    await expect(workspace.seal("2026-11-27T20:00:00.000Z")).rejects.toThrow(
      /knows 9 leaves, and the log here has 4: it was cut/,
    );
  });

  test("all of it put back to yesterday", async () => {
    const workspace = copy();
    rmSync(workspace.out, { recursive: true });
    cpSync(join(yesterday, "out"), workspace.out, { recursive: true });
    expect((await found(workspace))[0]).toMatch(
      /^rolled-back 4: The log here ends with 4 leaves, and the archive knows 9/,
    );
    expect(await found(workspace, false)).toEqual([]);
  });

  test("a fork: other rows from yesterday on, sealed by the same key", async () => {
    const workspace = copy();
    rmSync(workspace.out, { recursive: true });
    cpSync(join(yesterday, "out"), workspace.out, { recursive: true });
    await workspace.write({
      "predictions/p7": Array.from({ length: 7 }, (_, i) => predictionRow(`p7-${i}`, at(2, 1))),
    });
    await workspace.seal(DAY_2, { archive: false });
    expect((await found(workspace))[0]).toBe(
      `forked 4: The log here and the archive's part at leaf 4: two logs went on from there (sealed ${DAY_2} here, ${DAY_2} in the archive).`,
    );
    expect(await found(workspace, false)).toEqual([]);
    await expect(workspace.seal("2026-11-27T20:00:00.000Z")).rejects.toThrow(/another one than that of which/);
  });

  test("another log, with another key", async () => {
    const workspace = copy();
    rmSync(workspace.path("audit"), { recursive: true });
    rmSync(workspace.path(".store", "audit"), { recursive: true });
    rmSync(workspace.path("audit-key.pem"));
    await workspace.seal(DAY_2, { archive: false });
    expect((await found(workspace))[0]).toMatch(/^forked -: The log in .* is signed by another key/);
    await expect(workspace.seal(DAY_2)).rejects.toThrow(/is signed by brain-tumor-stack\/audit\//);
    rmSync(workspace.path("audit"), { recursive: true });
    rmSync(workspace.path(".store", "audit"), { recursive: true });
    expect((await found(workspace))[0]).toMatch(
      /^rolled-back 0: The log here ends with 0 leaves, and the archive knows 9/,
    );
    expect(await found(workspace, false)).toEqual(["not-sealed -: Nothing is sealed here: npm run audit -- seal."]);
  });

  test.each<[string, (workspace: AuditedWorkspace) => void, RegExp]>([
    [
      "leaves in another order",
      (w) =>
        w.edit(
          w.path("audit", "entries", "000000000000.jsonl"),
          (text) => `${text.split("\n").slice(0, 4).reverse().join("\n")}\n`,
        ),
      /^damaged-log 0: The checkpoint of 4 leaves in .* has another root than the leaves: one of leaves 0 to 3/m,
    ],
    [
      "a leaf that is none",
      (w) => w.edit(w.path("audit", "entries", "000000000004.jsonl"), (text) => text.replace("digest", "digset")),
      /^damaged-log 4: Leaf 4 in .* is damaged/m,
    ],
    [
      "a hash",
      (w) => w.edit(w.path("audit", "tile", "0", "000.p", "9"), () => "x".repeat(9 * 32)),
      /^damaged-log -: tile\/0\/000\.p\/9 in .* does not hold the hashes of the leaves/m,
    ],
    [
      "a checkpoint that is not there",
      (w) => rmSync(w.path("audit", "checkpoints", "000000000004")),
      /^damaged-log -: The checkpoint of 4 leaves is missing in /m,
    ],
    [
      "a checkpoint that was changed",
      (w) => w.edit(w.path("audit", "checkpoints", "000000000009"), (text) => text.replace("2026-11-26", "2026-11-25")),
      /^bad-signature -: The checkpoint of 9 leaves in .* is not signed by the log's key\./m,
    ],
    [
      "leaves that are not there",
      (w) => rmSync(w.path("audit", "entries", "000000000000.jsonl")),
      /^damaged-log 0: There are leaves up to 0 in .*, and a checkpoint of 9/m,
    ],
  ])("in the log itself: %s", async (_name, spoil, expected) => {
    const workspace = copy();
    spoil(workspace);
    expect((await found(workspace, false)).join("\n")).toMatch(expected);
  });
});

describe("a seal", () => {
  test("vouches for no row of which it does not know all, and for the others", async () => {
    const workspace = copy();
    await workspace.write({
      "predictions/p6": [predictionRow("p6", at(3, 1))],
      "predictions/p7": [predictionRow("p7", at(3, 2))],
    });
    workspace.edit(workspace.rows("predictions/p6"), (text) => text.replace("{", '{"of_a_later_version":1,'));
    const { added, unreadable } = await workspace.seal("2026-11-27T20:00:00.000Z");
    expect([added, unreadable]).toEqual([
      1,
      [expect.stringMatching(/p6\.jsonl cannot be read: line 1 has of_a_later_version/)],
    ]);
  });

  test("says of a clock that was ahead what became of it, takes in what came since where it is told to, and goes on then", async () => {
    const workspace = copy();
    await workspace.write({ "predictions/p6": [predictionRow("p6", at(3, 1))] });
    await workspace.seal("2027-11-27T20:00:00.000Z");
    await workspace.write({ "predictions/p7": [predictionRow("p7", at(4, 1))] });
    await expect(workspace.seal(at(4, 2))).rejects.toThrow(
      /The clock cannot be used:\n.* it says 2026-11-28T10:02:00\.000Z, and the last seal was through 2027-11-27T20:00:00\.000Z: it is behind now, or was ahead then/,
    );
    expect(await workspace.seal(at(4, 2), { late: true })).toMatchObject({ added: 2, through: at(4, 2) });
    await workspace.write({ "predictions/p8": [predictionRow("p8", at(4, 3))] });
    expect(await workspace.seal(at(4, 4))).toMatchObject({ added: 1, late: [], through: at(4, 4) });
    expect(await found(workspace)).toEqual([]);
    // Some minutes are every clock's.
    expect(await workspace.seal(new Date(Date.parse(at(4, 4)) - 60_000).toISOString())).toMatchObject({ added: 0 });
  });

  test("takes nothing twice, and leaves what says a later time to the next", async () => {
    const workspace = copy();
    expect(await workspace.seal("2026-11-27T09:00:00.000Z")).toMatchObject({ added: 0, size: 9, late: [] });
    await workspace.write({
      "predictions/p9": [predictionRow("p9", at(3, 1))],
      "audit/p8": [auditRow("p8", at(3, 9))],
    });
    expect(await workspace.seal("2026-11-27T10:05:00.000Z")).toMatchObject({ added: 1, size: 10 });
    expect(await workspace.seal("2026-11-27T10:10:00.000Z")).toMatchObject({ added: 1, size: 11 });
    expect(await workspace.verify()).toMatchObject({ ok: true, leaves: 11, archived: 11, pending: 0 });
  });

  test("brings an archive that comes later to where the log is", async () => {
    const workspace = copy();
    rmSync(workspace.archive, { recursive: true });
    const without = copy(workspace.folder);
    await without.write({ "audit/z": [auditRow("z", at(3, 1))] });
    await without.seal("2026-11-27T20:00:00.000Z", { archive: false });
    expect(await workspace.seal(DAY_2)).toMatchObject({ added: 0, archived: true });
    expect(await workspace.verify()).toMatchObject({ ok: true, archived: 9 });
    await without.seal("2026-11-27T21:00:00.000Z");
    expect(await without.verify()).toMatchObject({ ok: true, leaves: 10, archived: 10 });
  });

  test("that breaks off before any of its writes is ended by the next, and nothing is there twice", async () => {
    let broken = 0;
    // Before one write is after the one before it.
    for (let writes = 0; ; writes++) {
      const workspace = copy(yesterday);
      await workspace.write(SECOND);
      const gate = new Gate(writes);
      const parts = {
        log: gate.over(await workspace.log()),
        archived: gate.over(await openStore(join(workspace.archive, "log"))),
      };
      const done = await workspace.seal(DAY_2, parts).then(
        () => true,
        (error: Error) => {
          expect(error.message).toBe("Broken off.");
          return false;
        },
      );
      if (done) break;
      broken++;
      // As if its process had ended.
      rmSync(workspace.path("audit", "lease.json"), { force: true });
      // Rows that came meanwhile are not mixed into what was planned.
      await workspace.write({ "audit/0-new": [auditRow("new", at(2, 0))] });
      await workspace.seal("2026-11-26T21:00:00.000Z", { late: true });
      const verified = await workspace.verify();
      expect([writes, verified.findings, verified.leaves, verified.archived]).toEqual([
        writes,
        [],
        verified.rows,
        verified.rows,
      ]);
      rmSync(workspace.folder, { recursive: true });
    }
    expect(broken).toBeGreaterThan(10);
  });

  test("runs once at a time: a second leaves, and one whose process was killed holds nobody up", async () => {
    const workspace = copy();
    await workspace.write({ "audit/z": [auditRow("z", at(3, 1))] });
    const run = ["audit", "seal", "--out", workspace.out, "--archive", workspace.archive];
    const first = spawn(process.execPath, [MAIN, ...run, "--wait", "600"], { stdio: "ignore" });
    try {
      await until(async () => existsSync(workspace.path("audit", "lease.json")), Boolean);
      const second = spawnSync(process.execPath, [MAIN, ...run, "--wait", "0"], { encoding: "utf8" });
      expect(second.stdout).toMatch(/^Another seal is at work .*: nothing was done here\.\n$/);
      expect(second.status).toBe(0);
    } finally {
      await stopProcess(first, "SIGKILL");
    }
    const third = spawnSync(process.execPath, [MAIN, ...run, "--wait", "0", "--json"], { encoding: "utf8" });
    expect(JSON.parse(third.stdout)).toMatchObject({ busyUntil: null, added: 1, size: 10, archived: true });
    expect(await workspace.verify()).toMatchObject({ ok: true, leaves: 10 });
  });
});

/** Lets so many writes through to some stores, and breaks off at the next. */
class Gate {
  constructor(private left: number) {}

  private async pass<T>(write: () => Promise<T>): Promise<T> {
    if (this.left-- > 0) return write();
    throw new Error("Broken off.");
  }

  over(store: ObjectStore): ObjectStore {
    return new Proxy(store, {
      get: (target, name: keyof ObjectStore) => {
        const own = target[name] as unknown;
        if (typeof own !== "function") return own;
        return (...args: unknown[]) => {
          const call = () => own.apply(target, args) as Promise<unknown>;
          return ["create", "write", "delete"].includes(name) ? this.pass(call) : call();
        };
      },
    });
  }
}

describe("a proof", () => {
  test("of every kind of row, from the row alone, is verified by others", async () => {
    const { warehouse, close } = await openWorkspace(base.out);
    const log = await base.log();
    const proofs: InclusionProof[] = [];
    for (const id of ["p1", "p2", "f1", "q", "scored/cnn-1/x/s2"])
      proofs.push(await proveInclusion(warehouse, log, id));
    await close();
    expect(judge(proofs)).toEqual(proofs.map(() => "ok"));
    expect(proofs.map(({ leaf }) => leaf.index)).toEqual([1, 3, 7, 8, 5]);
    expect(proofs[2]).toMatchObject({ table: "feedback", row: { feedback: "f1", comment: "seen again" } });
  });

  test("that a later day begins with an earlier one is verified by others", async () => {
    const log = await base.log();
    const proof = await proveConsistency(log, "2026-11-25", "2026-11-26");
    expect(proof.sizes).toEqual([4, 9]);
    expect(judge([proof, { ...proof, proof: proof.proof.slice(1) }])).toEqual([
      "ok",
      expect.not.stringMatching(/^ok$/),
    ]);
    await expect(proveConsistency(log, "2026-11-24", "2026-11-26")).rejects.toThrow(
      "Nothing was sealed up to 2026-11-24.",
    );
    await expect(proveConsistency(log, "2026-11-26", "2026-11-25")).rejects.toThrow(/is not before/);
  });

  test("is refused, with a sentence, where there is nothing to prove", async () => {
    const workspace = copy();
    await workspace.write({ "predictions/p9": [predictionRow("p9", at(3, 1))] });
    const { warehouse, close } = await openWorkspace(workspace.out);
    const log = await workspace.log();
    await expect(proveInclusion(warehouse, log, "p9")).rejects.toThrow(
      /^p9 is written down and not sealed yet.* Its leaf is [0-9a-f]{64}/,
    );
    for (const id of ["nobody", "../p1", "", "p1/..", "a b", "%00"])
      await expect(proveInclusion(warehouse, log, id)).rejects.toThrow(/names no row/);
    await close();
  });
});

describe("npm run audit", () => {
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [MAIN, "audit", ...args], {
      encoding: "utf8",
      env: { ...process.env, AUDIT_ARCHIVE: undefined },
    });

  test("seals, verifies and proves, with the exit codes of every command", async () => {
    const workspace = copy();
    const places = ["--out", workspace.out, "--archive", workspace.archive];
    expect(run("verify", ...places)).toMatchObject({
      status: 0,
      stdout: `Nothing was changed. 9 rows, 9 leaves, 9 of them in the archive, sealed up to ${DAY_2}; 0 rows wait for the next seal.\n`,
    });
    const { stdout } = run("proof", "p1", ...places, "--json");
    expect(judge([JSON.parse(stdout)])).toEqual(["ok"]);
    const between = run("verify", "--from", "2026-11-25", "--to", "2026-11-26", ...places, "--json");
    expect(judge([JSON.parse(between.stdout)])).toEqual(["ok"]);
    rmSync(workspace.rows("predictions/p1"));
    const damaged = run("verify", ...places);
    expect(damaged.status).toBe(1);
    expect(damaged.stdout).toMatch(/^Leaf 1, row 1 of predictions\/p1, .*\nOne thing is not as it was sealed\./);
    expect(run("proof", "nobody", ...places)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/names no row/),
    });
  });

  test("refuses an archive inside of the workspace, one that is not there, and days that are none", () => {
    const workspace = copy();
    mkdirSync(join(workspace.out, "inside"));
    for (const [args, said] of [
      [["seal", "--archive", join(workspace.out, "inside")], /lies in the workspace/],
      [["verify", "--archive", join(workspace.folder, "nowhere")], /There is none in .*nowhere/],
      [["verify", "--from", "yesterday", "--to", "2026-11-26"], /--from yesterday is no day/],
      [["verify", "--from", "2026-11-25"], /--to is missing/],
    ] as const) {
      const { status, stderr } = run(...args, "--out", workspace.out);
      expect([status, stderr]).toEqual([2, expect.stringMatching(said)]);
    }
    expect(existsSync(join(workspace.folder, "nowhere"))).toBe(false);
  });
});

test("what seals once is what seals in turn: rows of a day have one order", async () => {
  const [one, other] = [copy(yesterday), copy(yesterday)];
  const names = Object.entries(SECOND);
  await one.write(Object.fromEntries(names));
  for (const [name, rows] of [...names].reverse()) await other.write({ [name]: rows });
  expect((await one.seal(DAY_2)).root).toBe((await other.seal(DAY_2)).root);
});
