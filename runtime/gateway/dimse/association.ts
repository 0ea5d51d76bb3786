import { isUid } from "../../imaging";
import { ABORT, ProtocolError } from "./bytes";
import { answerTo, COMMAND, type Command, parseCommand, STATUS, type Status, SUCCESS } from "./command";
import { type Connection, LostPeerError } from "./connection";
import {
  type AnsweredContext,
  APPLICATION_CONTEXT,
  type AssociateRequest,
  abort,
  associateAccept,
  associateReject,
  CONTEXT,
  commandUnit,
  type Fragment,
  PDU,
  type ProposedContext,
  parseAssociateRequest,
  parseFragments,
  REJECTION,
  releaseResponse,
  userAbort,
} from "./pdu";

/** An instance that a peer wants to have stored. */
export interface StoreRequest {
  readonly sopClass: string;
  readonly sopInstance: string;
  /** In which its data set is sent. */
  readonly transferSyntax: string;
  readonly callingAet: string;
}

/** Takes a data set piece by piece. Nothing that goes wrong is thrown before `finish` says it. */
export interface Receiving {
  write(bytes: Buffer): Promise<void>;
  /** Called once after the last piece. */
  finish(): Promise<Status>;
  /** Called in place of `finish` where the rest will never come. */
  abandon(): Promise<void>;
}

/** What a server of this application takes, and what it does with it. */
export interface Service {
  readonly aet: string;
  /** Why a peer may not associate; undefined where it may. It has its place until `left`. */
  enter(request: AssociateRequest, address: string): keyof typeof REJECTION | undefined;
  left(address: string): void;
  takesSopClass(uid: string): boolean;
  takesTransferSyntax(uid: string): boolean;
  store(request: StoreRequest): Promise<Receiving>;
  /** A peer was refused. */
  turnedAway(callingAet: string, why: keyof typeof REJECTION): void;
  /** A peer that may talk to us did not keep to the protocol, was too slow, or went away. */
  lost(why: Error, callingAet: string | undefined): void;
}

/** Seconds. */
export interface Patience {
  /** For the request of an association, from the connection on: PS3.8's ARTIM timer. */
  readonly request: number;
  /** For any further unit. */
  readonly unit: number;
}

const MAX_COMMAND_BYTES = 16 * 1024;

/**
 * Serves one connection from its first byte to its last. Never throws.
 *
 * @param address of the peer
 * @param asked called once the peer has said what it wants
 */
export async function serveConnection(
  connection: Connection,
  address: string,
  service: Service,
  patience: Patience,
  asked: () => void,
): Promise<void> {
  let association: Association | undefined;
  try {
    const unit = await connection.next(patience.request);
    asked();
    if (unit === undefined) return;
    if (unit.type !== PDU.associateRequest)
      throw new ProtocolError(`a unit of type ${unit.type} comes before an association`, ABORT.unexpected);
    const request = parseAssociateRequest(unit.body);
    const why = rejection(request, address, service);
    if (why !== undefined) {
      service.turnedAway(request.callingAet, why);
      return await connection.end(associateReject(REJECTION[why]));
    }
    association = new Association(connection, service, patience, request);
    await association.run();
    await connection.end();
  } catch (error) {
    service.lost(error as Error, association?.callingAet);
    const word = error instanceof ProtocolError ? abort(error.reason) : userAbort();
    await connection.end(error instanceof LostPeerError ? undefined : word);
  } finally {
    if (association) service.left(address);
    connection.destroy();
  }
}

function rejection(request: AssociateRequest, address: string, service: Service): keyof typeof REJECTION | undefined {
  if ((request.protocolVersion & 1) === 0) return "unknownVersion";
  if (request.applicationContext !== APPLICATION_CONTEXT) return "unknownApplication";
  if (request.calledAet !== service.aet) return "unknownCalled";
  return service.enter(request, address);
}

/** A message whose data set is under way. */
interface Message {
  readonly context: number;
  readonly command: Command;
  readonly receiving: Receiving;
}

class Association {
  readonly callingAet: string;
  private readonly contexts = new Map<number, { abstractSyntax: string; transferSyntax: string }>();
  private command: { readonly context: number; parts: Buffer[]; bytes: number } | undefined;
  private message: Message | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly service: Service,
    private readonly patience: Patience,
    private readonly request: AssociateRequest,
  ) {
    this.callingAet = request.callingAet;
  }

  /** @throws {ProtocolError} {@link SlowPeerError} {@link LostPeerError} */
  async run(): Promise<void> {
    try {
      const answers = this.request.contexts.map((context) => this.answer(context));
      await this.send(associateAccept(this.request, answers));
      while (await this.unit());
    } finally {
      await this.message?.receiving.abandon();
    }
  }

  /** The first proposed transfer syntax that we take: its proposer prefers it. */
  private answer({ id, abstractSyntax, transferSyntaxes }: ProposedContext): AnsweredContext {
    const [proposed = ""] = transferSyntaxes;
    if (!this.service.takesSopClass(abstractSyntax))
      return { id, result: CONTEXT.unknownSopClass, transferSyntax: proposed };
    const transferSyntax = transferSyntaxes.find((uid) => this.service.takesTransferSyntax(uid));
    if (transferSyntax === undefined) return { id, result: CONTEXT.unknownTransferSyntaxes, transferSyntax: proposed };
    this.contexts.set(id, { abstractSyntax, transferSyntax });
    return { id, result: CONTEXT.accepted, transferSyntax };
  }

  /** @returns whether the association goes on */
  private async unit(): Promise<boolean> {
    const unit = await this.connection.next(this.patience.unit);
    if (unit === undefined) throw new LostPeerError("the peer closed the connection without releasing it");
    if (unit.type === PDU.data) {
      for (const fragment of parseFragments(unit.body)) await this.fragment(fragment);
      return true;
    }
    if (unit.type === PDU.abort) throw new LostPeerError("the peer aborted the association");
    const idle = this.message === undefined && this.command === undefined;
    if (unit.type === PDU.releaseRequest && idle) {
      await this.send(releaseResponse());
      return false;
    }
    throw new ProtocolError(`a unit of type ${unit.type} comes where none may`, ABORT.unexpected);
  }

  private async fragment(fragment: Fragment): Promise<void> {
    const { context, isCommand, isLast, bytes } = fragment;
    const due = this.message ?? this.command;
    if (!this.contexts.has(context)) throw new ProtocolError(`context ${context} was not agreed on`);
    if (due && due.context !== context) throw new ProtocolError("two messages come at the same time");
    if (isCommand === (this.message !== undefined))
      throw new ProtocolError(isCommand ? "a command comes within a data set" : "a data set comes without a command");

    if (this.message) {
      await this.message.receiving.write(bytes);
      if (!isLast) return;
      const { command, receiving } = this.message;
      this.message = undefined;
      return this.reply(context, command, await receiving.finish());
    }
    this.command ??= { context, parts: [], bytes: 0 };
    this.command.parts.push(bytes);
    this.command.bytes += bytes.length;
    if (this.command.bytes > MAX_COMMAND_BYTES || this.command.parts.length > MAX_COMMAND_BYTES)
      throw new ProtocolError("a command is longer than any");
    if (!isLast) return;
    const command = parseCommand(Buffer.concat(this.command.parts));
    this.command = undefined;
    if (command.hasDataSet) this.message = { context, command, receiving: await this.receive(context, command) };
    else await this.reply(context, command, command.field === COMMAND.echo ? SUCCESS : withoutDataSet(command));
  }

  /** What takes the data set of a command; where the command is not done, what forgets it and says why. */
  private async receive(context: number, command: Command): Promise<Receiving> {
    const { abstractSyntax, transferSyntax } = this.contexts.get(context) as {
      abstractSyntax: string;
      transferSyntax: string;
    };
    const { field, sopClass, sopInstance } = command;
    if (field !== COMMAND.store) return forgetting({ status: STATUS.unrecognizedOperation });
    if (sopClass !== abstractSyntax) return forgetting({ status: STATUS.sopClassNotSupported });
    if (!isUid(sopInstance)) return forgetting({ status: STATUS.invalidInstance });
    return this.service.store({ sopClass, sopInstance, transferSyntax, callingAet: this.callingAet });
  }

  private reply(context: number, command: Command, status: Status): Promise<void> {
    return this.send(commandUnit(context, answerTo(command, status)));
  }

  private send(unit: Buffer): Promise<void> {
    return this.connection.send(unit, this.patience.unit);
  }
}

function withoutDataSet({ field }: Command): Status {
  if (field !== COMMAND.store) return { status: STATUS.unrecognizedOperation };
  return { status: STATUS.cannotUnderstand, comment: "The request has no data set." };
}

/** Drops a data set that there is no use for: whoever sends it sends all of it before the answer is read. */
export function forgetting(status: Status): Receiving {
  return { write: async () => {}, finish: async () => status, abandon: async () => {} };
}
