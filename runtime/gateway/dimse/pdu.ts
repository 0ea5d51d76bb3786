import { ABORT, type AbortReason, FieldReader, ProtocolError, uint16, uint32 } from "./bytes";

/** Types of protocol data units: DICOM PS3.8, 9.3.1. */
export const PDU = {
  associateRequest: 1,
  associateAccept: 2,
  associateReject: 3,
  data: 4,
  releaseRequest: 5,
  releaseResponse: 6,
  abort: 7,
} as const;

/** Bytes of the variable field of a P-DATA-TF that we take, and say so. */
export const MAX_PDU_BYTES = 128 * 1024;
/** A request with 128 contexts of 40 transfer syntaxes has 300 KB; one of a modality has 2. */
const MAX_REQUEST_BYTES = 512 * 1024;

/** Of type and length, which every unit begins with. */
export const HEADER_BYTES = 6;

/**
 * Type and length of a unit from its first bytes, before any of the rest is held.
 *
 * @throws {ProtocolError} for a type that is none, or more bytes than such a unit may have
 */
export function readHeader(
  header: Buffer,
  taken: Readonly<Record<number, number>> = SENT_TO_SERVERS,
): { readonly type: number; readonly length: number } {
  const type = header.readUInt8(0);
  const length = header.readUInt32BE(2);
  const most = taken[type];
  if (most === undefined) throw new ProtocolError(`a unit of type ${type} is none of DICOM's`, ABORT.unrecognized);
  if (length > most) throw new ProtocolError(`a unit of type ${type} has ${length} bytes; ${most} are taken`);
  return { type, length };
}

/** What each type may hold that a server is sent; others are not taken. */
export const SENT_TO_SERVERS: Readonly<Record<number, number>> = {
  [PDU.associateRequest]: MAX_REQUEST_BYTES,
  [PDU.data]: MAX_PDU_BYTES,
  [PDU.releaseRequest]: 4,
  [PDU.abort]: 4,
};

/** The same of a client. */
export const SENT_TO_CLIENTS: Readonly<Record<number, number>> = {
  [PDU.associateAccept]: MAX_REQUEST_BYTES,
  [PDU.associateReject]: 4,
  [PDU.data]: MAX_PDU_BYTES,
  [PDU.releaseResponse]: 4,
  [PDU.abort]: 4,
};

export interface ProposedContext {
  /** Odd, 1 to 255. */
  readonly id: number;
  readonly abstractSyntax: string;
  /** In the order in which they are preferred. */
  readonly transferSyntaxes: readonly string[];
}

const ITEM = {
  applicationContext: 0x10,
  proposed: 0x20,
  answered: 0x21,
  abstractSyntax: 0x30,
  transferSyntax: 0x40,
  user: 0x50,
  maximumLength: 0x51,
  implementationClass: 0x52,
  implementationVersion: 0x55,
} as const;

const item = (type: number, value: Buffer) => Buffer.concat([Buffer.from([type, 0]), uint16(value.length), value]);

/** Of this implementation: a UUID's, PS3.5 B.2. */
export const IMPLEMENTATION_CLASS = "2.25.233061834370936404263949862183263150471";
export const IMPLEMENTATION_VERSION = "BRAINTUMOR_1";

/** What each side says of itself. */
const USER = item(
  ITEM.user,
  Buffer.concat([
    item(ITEM.maximumLength, uint32(MAX_PDU_BYTES)),
    item(ITEM.implementationClass, Buffer.from(IMPLEMENTATION_CLASS)),
    item(ITEM.implementationVersion, Buffer.from(IMPLEMENTATION_VERSION)),
  ]),
);

/** An A-ASSOCIATE-RQ: PS3.8, 9.3.2. */
export interface AssociateRequest {
  readonly calledAet: string;
  readonly callingAet: string;
  readonly protocolVersion: number;
  readonly applicationContext: string;
  readonly contexts: readonly ProposedContext[];
  /** Both titles and what is reserved, which the answer repeats. */
  readonly titles: Buffer;
}

export const APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1";

/** Two titles of 16 bytes, and 32 reserved ones. */
const TITLES_BYTES = 64;

/** @throws {ProtocolError} */
export function parseAssociateRequest(body: Buffer): AssociateRequest {
  const reader = new FieldReader(body, "the request of an association");
  const protocolVersion = reader.uint16();
  reader.take(2);
  const titles = Buffer.from(reader.take(TITLES_BYTES));
  let applicationContext = "";
  const contexts: ProposedContext[] = [];
  for (const [type, value] of items(reader)) {
    if (type === ITEM.applicationContext) applicationContext = uid(value);
    else if (type === ITEM.proposed) contexts.push(proposedContext(value));
  }
  if (contexts.length === 0) throw new ProtocolError("the request of an association proposes nothing");
  if (new Set(contexts.map(({ id }) => id)).size < contexts.length)
    throw new ProtocolError("two proposed contexts have one number");
  return {
    calledAet: titles.toString("latin1", 0, 16).trim(),
    callingAet: titles.toString("latin1", 16, 32).trim(),
    protocolVersion,
    applicationContext,
    contexts,
    titles,
  };
}

function proposedContext(value: Buffer): ProposedContext {
  const reader = new FieldReader(value, "a proposed context");
  const id = reader.uint8();
  reader.take(3);
  if (id % 2 === 0) throw new ProtocolError("a proposed context has an even number");
  const syntaxes = [...items(reader)];
  const abstractSyntax = syntaxes.find(([type]) => type === ITEM.abstractSyntax)?.[1];
  if (!abstractSyntax) throw new ProtocolError("a proposed context names no SOP class");
  const transferSyntaxes = syntaxes.filter(([type]) => type === ITEM.transferSyntax).map(([, value]) => uid(value));
  return { id, abstractSyntax: uid(abstractSyntax), transferSyntaxes };
}

/** Items one after the other: type, a byte, length of 16 bits, value. */
function* items(reader: FieldReader): Generator<readonly [type: number, value: Buffer]> {
  while (!reader.done) {
    const type = reader.uint8();
    reader.take(1);
    yield [type, reader.take(reader.uint16())];
  }
}

/** Some pad UIDs here too, with a zero or a blank. */
const uid = (value: Buffer) => value.toString("latin1").replace(/[\0 ]+$/, "");

const CONTEXT_ID = 1;

/** The request of an association with one context, whose number is 1. */
export function associateRequest(
  { calledAet, callingAet }: Pick<AssociateRequest, "calledAet" | "callingAet">,
  abstractSyntax: string,
  transferSyntax: string,
): Buffer {
  const body = Buffer.concat([
    uint16(1),
    uint16(0),
    Buffer.from(calledAet.padEnd(16), "latin1"),
    Buffer.from(callingAet.padEnd(16), "latin1"),
    Buffer.alloc(32),
    item(ITEM.applicationContext, Buffer.from(APPLICATION_CONTEXT)),
    item(
      ITEM.proposed,
      Buffer.concat([
        Buffer.from([CONTEXT_ID, 0, 0, 0]),
        item(ITEM.abstractSyntax, Buffer.from(abstractSyntax)),
        item(ITEM.transferSyntax, Buffer.from(transferSyntax)),
      ]),
    ),
    USER,
  ]);
  return pdu(PDU.associateRequest, body);
}

/** What a server has agreed to. @throws {ProtocolError} */
export function parseAssociateAccept(body: Buffer): {
  /** See {@link CONTEXT}; undefined where it says nothing of the one context. */
  readonly result: number | undefined;
  /** Bytes of a unit of data that it takes; 0: any number. */
  readonly maxBytes: number;
} {
  const reader = new FieldReader(body, "the answer to an association");
  reader.take(4 + TITLES_BYTES);
  let result: number | undefined;
  let maxBytes = 0;
  for (const [type, value] of items(reader)) {
    if (type === ITEM.answered && value[0] === CONTEXT_ID) result = value[2];
    if (type !== ITEM.user) continue;
    for (const [sub, of] of items(new FieldReader(value, "what the peer says of itself")))
      if (sub === ITEM.maximumLength && of.length === 4) maxBytes = of.readUInt32BE();
  }
  return { result, maxBytes };
}

/** A piece of a message of the one context. */
export function dataUnit(isCommand: boolean, isLast: boolean, bytes: Buffer): Buffer {
  const control = (isCommand ? 1 : 0) | (isLast ? 2 : 0);
  return pdu(PDU.data, Buffer.concat([uint32(bytes.length + 2), Buffer.from([CONTEXT_ID, control]), bytes]));
}

/** Why a context is not taken: PS3.8, table 9-18. */
export const CONTEXT = { accepted: 0, unknownSopClass: 3, unknownTransferSyntaxes: 4 } as const;

export interface AnsweredContext {
  readonly id: number;
  readonly result: (typeof CONTEXT)[keyof typeof CONTEXT];
  /** Of an accepted one the chosen; otherwise it means nothing, and has to be there. */
  readonly transferSyntax: string;
}

export function associateAccept(request: AssociateRequest, contexts: readonly AnsweredContext[]): Buffer {
  const body = Buffer.concat([
    uint16(1),
    uint16(0),
    request.titles,
    item(ITEM.applicationContext, Buffer.from(APPLICATION_CONTEXT)),
    ...contexts.map(({ id, result, transferSyntax }) =>
      item(
        ITEM.answered,
        Buffer.concat([Buffer.from([id, 0, result, 0]), item(ITEM.transferSyntax, Buffer.from(transferSyntax))]),
      ),
    ),
    USER,
  ]);
  return pdu(PDU.associateAccept, body);
}

/** Result, source and reason of refusals: PS3.8, table 9-21. */
export const REJECTION = {
  unknownApplication: [1, 1, 2],
  unknownCaller: [1, 1, 3],
  unknownCalled: [1, 1, 7],
  unknownVersion: [1, 2, 2],
  tooMany: [2, 3, 2],
} as const;

export const associateReject = (why: (typeof REJECTION)[keyof typeof REJECTION]) =>
  pdu(PDU.associateReject, Buffer.from([0, ...why]));
export const releaseRequest = () => pdu(PDU.releaseRequest, Buffer.alloc(4));
export const releaseResponse = () => pdu(PDU.releaseResponse, Buffer.alloc(4));
/** By the provider of the service, which is what checks units. */
export const abort = (reason: AbortReason) => pdu(PDU.abort, Buffer.from([0, 0, 2, reason]));
/** By its user: without a reason. */
export const userAbort = () => pdu(PDU.abort, Buffer.alloc(4));

function pdu(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 0]), uint32(body.length), body]);
}

/** A piece of a message: PS3.8, 9.3.5.1 and E.2. */
export interface Fragment {
  readonly context: number;
  readonly isCommand: boolean;
  readonly isLast: boolean;
  readonly bytes: Buffer;
}

/** @throws {ProtocolError} */
export function parseFragments(body: Buffer): Fragment[] {
  const reader = new FieldReader(body, "a unit of data");
  const fragments: Fragment[] = [];
  while (!reader.done) {
    const part = new FieldReader(reader.take(reader.uint32()), "a piece of a message");
    const context = part.uint8();
    const control = part.uint8();
    fragments.push({ context, isCommand: (control & 1) !== 0, isLast: (control & 2) !== 0, bytes: part.rest() });
  }
  return fragments;
}

/** A command as one unit: ours are shorter than what any peer takes. */
export function commandUnit(context: number, command: Buffer): Buffer {
  return pdu(PDU.data, Buffer.concat([uint32(command.length + 2), Buffer.from([context, 3]), command]));
}
