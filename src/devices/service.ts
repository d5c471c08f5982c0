// What a class gives so that its device serves an OS on another computer: lent to it (`yado lend`), or left behind by it.
// Used by standby and ghost, which find it in the folder's service.ts. Who may ask, and in which epoch, is checked before.
import * as v from 'valibot';
import type { Cipher } from '#core/ciphers.ts';
import type { Computer } from '#core/computer.ts';
import type { DeviceClass, LendableClass, RemoteClass } from '#core/device-class.ts';
import { yadoError } from '#core/errors.ts';
import type { FaultName } from '#core/faults.ts';
import type { ControlAnswer, ControlRequest, ControlType } from '#wire/control.ts';
import type { ServeState } from './device.ts';

/** What every message about a device has in it. */
export interface DeviceRequest {
  readonly device: string;
  readonly epoch: number;
  readonly osId?: string;
}

/** Messages to the one who serves a device. */
export type DeviceMessage = Exclude<
  { [T in ControlType]: ControlRequest<T> extends DeviceRequest ? T : never }[ControlType],
  'lend' | 'giveBack'
>;

export type DeviceAnswer<T extends DeviceMessage> = Promise<ControlAnswer<T>> | ControlAnswer<T>;

/** Messages by name: a service answers those of its class. */
export type DeviceAnswers = {
  [T in DeviceMessage]?: (request: ControlRequest<T>) => DeviceAnswer<T>;
};

/** @throws YadoError `badRequest` for a message of another class; what the service throws */
export function answerOf<T extends DeviceMessage>(
  service: DeviceAnswers,
  type: T,
  request: ControlRequest<T>,
): DeviceAnswer<T> {
  const answers: Pick<DeviceAnswers, T> = service;
  const answer = answers[type]?.(request);
  if (answer === undefined) throw yadoError('badRequest', { reason: `no such device answers "${type}"` });
  return answer;
}

/** A device that is lent. */
export interface LentService extends DeviceAnswers {
  /** Lets go of the device. */
  stop(): Promise<void>;
}

/** How a class lends. */
export interface Lendable {
  readonly messages: readonly DeviceMessage[];
  /**
   * Opens a device of this computer and tells what it really is. Its driver may have been loaded just now.
   * @throws Error saying why there is none
   */
  open(say: (text: string) => void): Promise<{ readonly typeName: string; readonly service: LentService }>;
}

/** A driver that was just loaded needs this long at most until it has found its device. */
export const probing = { timeoutMs: 10_000, everyMs: 50 } as const;

/** Where a device was left, and by whom. */
export interface LeftWorld {
  readonly osId: string;
  /** This computer. */
  readonly computer: Computer;
  /** What the kernel here encrypts connections with. */
  readonly cipher: Cipher;
  /** The newest in which the OS has asked for its devices: whoever used one in an older epoch is to be cut off. */
  epoch(): number;
  /** That all this is left here, as text: what someone who finds the device later must know. `before`: what it said. */
  record(before: string | undefined): string;
  say(text: string): void;
  /** A fault point, for tests. @throws Error when its step is to fail */
  fault(point: FaultName): Promise<void>;
}

/** A device that was left behind. It answers as soon as the OS asks, also before it is served. */
export interface LeftService extends DeviceAnswers {
  /** What the one who serves it after this must know. */
  readonly state: ServeState;
  /** True: a standby must load the drivers of the class first. */
  readonly needsDrivers?: boolean;
  /** True: the OS has it elsewhere and will not ask for it any more. */
  readonly isOver?: boolean;
  /** False: it is to be marked, and has not been found again yet. */
  readonly isHere?: boolean;
  /** Writes on it that the OS is about to leave, for good when this is fulfilled. @throws Error saying why it cannot */
  mark?(text: string): Promise<void>;
  /** The OS may write to it from now on. What cannot be served is said, and tried again when the OS asks for it. */
  serve(): Promise<void>;
  /** From here on `state` stays as it is. */
  handOver?(): Promise<void>;
  /** After `handOver`: there is no other one after all. */
  goOn?(): void;
  /** Everything that was written is on the device when this returns. Called after `handOver`. */
  stop(): Promise<void>;
  /** After `stop`, of an OS that has ended: takes away what keeps it from being started here. @throws Error saying why it cannot */
  unmark?(): void;
}

/** How a class serves what was left behind. */
export interface LeftClass {
  /** Of what `Device.leaveBehind` gives: it goes through a command line, a kernel parameter and marks on disks. */
  readonly schema: v.GenericSchema<unknown, ServeState>;
  readonly messages: readonly DeviceMessage[];
  serviceOf(state: ServeState, world: LeftWorld): LeftService;
}

export const leftClass = <State extends ServeState>(
  schema: v.GenericSchema<unknown, State>,
  messages: readonly DeviceMessage[],
  serviceOf: (state: State, world: LeftWorld) => LeftService,
): LeftClass => ({
  schema,
  messages,
  serviceOf: (state, world) => serviceOf(v.parse(schema, state), world),
});

/** What the service.ts of a folder exports as `service`: no more and no less than the traits of its class promise. */
export type ServiceOf<Class extends DeviceClass> = (Class extends LendableClass
  ? { readonly lend: Lendable }
  : { readonly lend?: never }) &
  (Class extends RemoteClass ? { readonly left: LeftClass } : { readonly left?: never });
