import { FieldReader, ProtocolError } from "./bytes";

/** Commands that are known, and their answers: DICOM PS3.7, E.1. */
export const COMMAND = { store: 0x0001, storeAnswer: 0x8001, echo: 0x0030, echoAnswer: 0x8030 } as const;
const ANSWER = 0x8000;

/** PS3.7, annex C, and PS3.4, table B.2-1. */
export const STATUS = {
  success: 0x0000,
  invalidInstance: 0x0117,
  sopClassNotSupported: 0x0122,
  unrecognizedOperation: 0x0211,
  outOfResources: 0xa700,
  doesNotMatch: 0xa900,
  cannotUnderstand: 0xc000,
} as const;

/** What a message was answered with. */
export interface Status {
  readonly status: (typeof STATUS)[keyof typeof STATUS];
  /** For people: 64 characters at most, and nothing of a patient. */
  readonly comment?: string;
}

export const SUCCESS: Status = { status: STATUS.success };

/** A command set: PS3.7, 6.3. */
export interface Command {
  readonly field: number;
  readonly messageId: number;
  readonly hasDataSet: boolean;
  readonly sopClass: string;
  readonly sopInstance: string;
  /** Of an answer. */
  readonly status: number | undefined;
}

const TAG = {
  groupLength: 0x0000,
  sopClass: 0x0002,
  field: 0x0100,
  messageId: 0x0110,
  priority: 0x0700,
  answeredId: 0x0120,
  dataSetType: 0x0800,
  status: 0x0900,
  comment: 0x0902,
  sopInstance: 0x1000,
} as const;

const NO_DATA_SET = 0x0101;

/** Reads a command set, which is Implicit VR Little Endian always. @throws {ProtocolError} */
export function parseCommand(bytes: Buffer): Command {
  const reader = new FieldReader(bytes, "a command");
  const values = new Map<number, Buffer>();
  while (!reader.done) {
    const head = reader.take(8);
    if (head.readUInt16LE(0) !== 0) throw new ProtocolError("a command holds an element of another group");
    values.set(head.readUInt16LE(2), reader.take(head.readUInt32LE(4)));
  }
  const number = (tag: number, what: string) => {
    const value = values.get(tag);
    if (value?.length !== 2) throw new ProtocolError(`a command does not say its ${what}`);
    return value.readUInt16LE(0);
  };
  const text = (tag: number) => (values.get(tag)?.toString("latin1") ?? "").replace(/[\0 ]+$/, "");
  return {
    field: number(TAG.field, "kind"),
    messageId: values.has(TAG.messageId) ? number(TAG.messageId, "number") : 0,
    hasDataSet: number(TAG.dataSetType, "data set") !== NO_DATA_SET,
    sopClass: text(TAG.sopClass),
    sopInstance: text(TAG.sopInstance),
    status: values.has(TAG.status) ? number(TAG.status, "status") : undefined,
  };
}

export function answerTo(command: Command, { status, comment }: Status): Buffer {
  const elements = [
    ...(command.sopClass === "" ? [] : [element(TAG.sopClass, uid(command.sopClass))]),
    element(TAG.field, uint16(command.field | ANSWER)),
    element(TAG.answeredId, uint16(command.messageId)),
    element(TAG.dataSetType, uint16(NO_DATA_SET)),
    element(TAG.status, uint16(status)),
    ...(comment === undefined ? [] : [element(TAG.comment, padded(comment.slice(0, 64), " "))]),
    ...(command.sopInstance === "" ? [] : [element(TAG.sopInstance, uid(command.sopInstance))]),
  ];
  return commandSet(elements);
}

/** A C-STORE-RQ: PS3.7, 9.3.1.1. Its number is 1: a message an association. */
export function storeCommand(sopClass: string, sopInstance: string): Buffer {
  return commandSet([
    element(TAG.sopClass, uid(sopClass)),
    element(TAG.field, uint16(COMMAND.store)),
    element(TAG.messageId, uint16(1)),
    element(TAG.priority, uint16(0)),
    element(TAG.dataSetType, uint16(1)),
    element(TAG.sopInstance, uid(sopInstance)),
  ]);
}

function commandSet(elements: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(elements);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(rest.length);
  return Buffer.concat([element(TAG.groupLength, length), rest]);
}

function element(tag: number, value: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(tag, 2);
  head.writeUInt32LE(value.length, 4);
  return Buffer.concat([head, value]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

const padded = (text: string, pad: string) => Buffer.from(text.length % 2 === 0 ? text : text + pad, "latin1");
const uid = (text: string) => padded(text, "\0");
