import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

/*
 * Signed notes (https://c2sp.org/signed-note) and the checkpoints that are written as such
 * (https://c2sp.org/tlog-checkpoint), with Ed25519.
 */

/** The identifier of Ed25519 in a note's key. */
const ED25519 = 1;
/** What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;

/** A key that notes are checked by. */
export interface NoteKey {
  /** Whose it is: the first line of its checkpoints too. */
  readonly name: string;
  /** 8 hex digits: told apart by it. */
  readonly id: string;
  readonly publicKey: KeyObject;
}

/** What a checkpoint says: the first `size` leaves have this root, and all rows up to a time are among them. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** ISO 8601; undefined where rows of that time are still to come. */
  readonly through: string | undefined;
}

/** A note that is no checkpoint, or none of this key. The message completes "The checkpoint NAME ". */
export class BadNote extends Error {}

export function rawPublicKey(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: "spki", format: "der" }).subarray(SPKI_PREFIX.length);
}

/** The log of a key is named by the key: two logs never have one name. */
export function noteKey(publicKey: KeyObject): NoteKey {
  const raw = rawPublicKey(publicKey);
  const name = `brain-tumor-stack/audit/${createHash("sha256").update(raw).digest("hex").slice(0, 16)}`;
  return { name, id: keyId(name, raw), publicKey };
}

const keyId = (name: string, raw: Buffer): string =>
  createHash("sha256").update(`${name}\n`).update(Buffer.of(ED25519)).update(raw).digest("hex").slice(0, 8);

/** `NAME+ID+KEY`: what verifiers of notes are given. */
export function encodeKey({ name, id, publicKey }: NoteKey): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(ED25519), rawPublicKey(publicKey)]).toString("base64")}`;
}

/** @throws {BadNote} */
export function decodeKey(text: string): NoteKey {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\s*$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  const raw = bytes.subarray(1);
  if (bytes[0] !== ED25519 || raw.length !== KEY_BYTES || keyId(name, raw) !== id)
    throw new BadNote("has a key that is none.");
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
  return { name, id, publicKey };
}

/** Whether a text has this Ed25519 signature of a key. */
export const isSignedBy = ({ publicKey }: NoteKey, text: Buffer, signature: Buffer): boolean =>
  verify(null, text, publicKey, signature);

const THROUGH = "through ";

export function checkpointText({ origin, size, root, through }: Checkpoint): string {
  const lines = [origin, String(size), root.toString("base64")];
  if (through !== undefined) lines.push(`${THROUGH}${through}`);
  return `${lines.join("\n")}\n`;
}

/** @param signature Ed25519 of the text */
export function signedNote(text: string, { name, id }: NoteKey, signature: Buffer): string {
  return `${text}\n\u2014 ${name} ${Buffer.concat([Buffer.from(id, "hex"), signature]).toString("base64")}\n`;
}

/**
 * What a signed checkpoint says.
 * @throws {BadNote} if it is none, or not signed by the key
 */
export function openCheckpoint(note: string, key: NoteKey): Checkpoint {
  const end = note.lastIndexOf("\n\n") + 1;
  const text = note.slice(0, end);
  const signatures = note.slice(end + 1).split("\n");
  const mine = signatures
    .map((line) => /^\u2014 (\S+) ([A-Za-z0-9+/=]+)$/.exec(line))
    .filter((match) => match?.[1] === key.name)
    .map((match) => Buffer.from(match?.[2] ?? "", "base64"))
    .filter((bytes) => bytes.subarray(0, 4).toString("hex") === key.id);
  if (!mine.some((bytes) => verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4))))
    throw new BadNote("is not signed by the log's key.");
  const [origin = "", size = "", root = "", ...more] = text.trimEnd().split("\n");
  const hash = Buffer.from(root, "base64");
  if (origin !== key.name || !/^(?:0|[1-9]\d*)$/.test(size) || hash.length !== 32)
    throw new BadNote("is no checkpoint of this log.");
  const through = more.find((line) => line.startsWith(THROUGH))?.slice(THROUGH.length);
  return { origin, size: Number(size), root: hash, through };
}
