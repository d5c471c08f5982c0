// The one error class and the one table of everything that can go wrong: a sentence (what, which device, which
// computer) and the next command to type. Pure. Never logs, never decides what to do about an error.

/** Error families and the exit code the CLI ends with. */
export const families = {
  usage: { exitCode: 2, title: 'Wrong use' },
  unreachable: { exitCode: 3, title: 'Not reachable' },
  refused: { exitCode: 4, title: 'Refused before anything was changed' },
  failed: { exitCode: 5, title: 'The migration failed; the OS goes on where it was' },
  busy: { exitCode: 6, title: 'Busy' },
  cancelled: { exitCode: 7, title: 'Cancelled' },
  internal: { exitCode: 10, title: 'A fault of Yadokari' },
} as const;
export type ErrorFamily = keyof typeof families;

interface ErrorEntry {
  readonly family: ErrorFamily;
  /** One sentence; `{name}` is replaced by a parameter. */
  readonly what: string;
  /** What to type or do next. */
  readonly hint: string;
}

/** Every error there is. `{…}` are the parameters that `yadoError` asks for. */
export const errorTable = {
  badUsage: { family: 'usage', what: '{what}', hint: '{command} --help' },
  badConfig: {
    family: 'usage',
    what: 'The configuration {file} on {computer} is not usable: {reason}.',
    hint: 'correct {file}, then: systemctl restart yadod-prepare yadod',
  },
  badRequest: { family: 'usage', what: 'The request was not understood: {reason}.', hint: 'yado --help' },
  unknownComputer: {
    family: 'usage',
    what: 'No computer named {computer} is known here.',
    hint: 'yado computers; a new one is named in /etc/yadokari/config.toml, then: systemctl restart yadod-prepare yadod',
  },
  unknownPair: {
    family: 'usage',
    what: 'Nothing named {name} is paired here.',
    hint: 'yado pairs',
  },
  unknownDevice: {
    family: 'usage',
    what: 'There is no device {device} on {computer}.',
    hint: 'yado devices',
  },
  sameComputer: {
    family: 'usage',
    what: 'The OS already runs on {computer}.',
    hint: 'yado computers',
  },
  notLendable: {
    family: 'usage',
    what: '{device} cannot be lent: what is in it belongs to the OS.',
    hint: 'lend a display, an input device or a printer: yado devices',
  },
  alreadyThere: {
    family: 'usage',
    what: '{device} is at {computer} already.',
    hint: 'yado where',
  },
  notLent: {
    family: 'usage',
    what: '{device} is at {computer} and was not lent.',
    hint: 'yado where',
  },
  nothingToCancel: {
    family: 'usage',
    what: 'No migration is under way on {computer}.',
    hint: 'yado history',
  },
  unknownRisk: {
    family: 'usage',
    what: 'There is no risk named {risk} to accept.',
    hint: 'yado migrate {computer} --dry-run',
  },
  nothingToResume: {
    family: 'usage',
    what: 'No OS has left a disk on {computer} that it could be started from.',
    hint: 'yado status',
  },
  diskIsOld: {
    family: 'refused',
    what: 'What is on the disk of {computer} is an older state of {os}, which has its disk elsewhere now.',
    hint: 'start {os} from the disk it has now; if that is lost for good: the kernel parameter yado.accept-risk=two-copies at {computer}',
  },
  notDecided: {
    family: 'usage',
    what: 'Nobody confirmed that {os} is to be started from the disk of {computer}; nothing was changed.',
    hint: 'yado resume --yes, when {there} has lost it for good',
  },
  notGhost: {
    family: 'usage',
    what: '{computer} is {role}, not a ghost: there is nothing to turn into a standby.',
    hint: 'yado status',
  },

  agentNotRunning: {
    family: 'unreachable',
    what: 'The agent of this computer does not answer at {socket}.',
    hint: 'systemctl status yadod',
  },
  notAllowed: {
    family: 'usage',
    what: 'You may not talk to the agent at {socket}.',
    hint: 'run the command as root (sudo)',
  },
  unreachable: {
    family: 'unreachable',
    what: '{computer} does not answer at {address}.',
    hint: 'check that {computer} is switched on and its cable is in, then: yado computers',
  },
  pairedAlready: {
    family: 'usage',
    what: '{computer} is paired already, and a new medium would have other keys.',
    hint: 'yado unpair {computer}, then again; or --no-keys for a medium without any',
  },
  mediumFailed: {
    family: 'usage',
    what: 'The standby medium cannot be made at {target}: {reason}.',
    hint: '{hint}',
  },
  notPaired: {
    family: 'refused',
    what: 'This OS is not paired with {computer}.',
    hint: 'at {computer}: yado accept; here: yado pair {computer}',
  },
  notAccepting: {
    family: 'refused',
    what: '{computer} does not wait to be paired at {address}.',
    hint: 'at {computer}: yado accept; then here: yado pair {computer}',
  },
  nothingToConfirm: {
    family: 'usage',
    what: 'No pairing waits for a code here.',
    hint: 'yado pair <computer>, or on the computer itself: yado accept',
  },
  otherCode: {
    family: 'refused',
    what: 'The code here is not {code}: somebody may be in between, so {name} was not paired.',
    hint: 'look at the network between the two, then pair them again',
  },
  pairingExpired: {
    family: 'refused',
    what: 'Nobody confirmed the pairing within {seconds} s; nothing was paired.',
    hint: 'at the computer: yado accept; then at the OS: yado pair <computer>',
  },
  pairingDeclined: {
    family: 'refused',
    what: 'The pairing with {name} was declined {where}; nothing was paired.',
    hint: 'if the codes differed, somebody is in between: look at the network, then pair again',
  },
  pairingForged: {
    family: 'refused',
    what: '{name} changed its key while it was being paired: somebody is in between; nothing was paired.',
    hint: 'look at the network between the two, then pair them again',
  },
  pairingBroken: {
    family: 'refused',
    what: 'The pairing with {name} broke off: {reason}; nothing was paired.',
    hint: 'at the computer: yado accept; then at the OS: yado pair <computer>',
  },
  otherComputer: {
    family: 'refused',
    what: 'What answers at {address} calls itself {name}, not {computer}.',
    hint: 'yado pair {name} --address {address}, if that is the computer you mean',
  },
  tooManyAttempts: {
    family: 'refused',
    what: '{attempts} attempts to pair with this computer have failed: it has stopped waiting.',
    hint: 'find out who tries; then: yado accept',
  },
  strangerRefused: {
    family: 'refused',
    what: '{computer} does not know the key of this OS.',
    hint: 'pair them: at {computer}: yado accept; here: yado pair {computer}',
  },
  notItsOwner: {
    family: 'refused',
    what: '{computer} knows this key as that of the OS {os}; what came is for {claimed}.',
    hint: 'after an OS was renamed it is paired anew: at {computer}: yado accept; here: yado pair {computer}',
  },
  wrongKey: {
    family: 'refused',
    what: 'What answers at {address} has not the key that {computer} was paired with: another computer, or {computer} with new keys.',
    hint: 'look which computer has that address; if {computer} has new keys, at {computer}: yado accept; here: yado pair {computer}',
  },
  notSecure: {
    family: 'refused',
    what: 'What answers at {address}, where {computer} should be, does not speak TLS as Yadokari does: {reason}.',
    hint: 'make the medium of {computer} anew with this version (yado unpair {computer}, then yado standby build {computer} --usb /dev/sdX)',
  },
  diskUnreachable: {
    family: 'unreachable',
    what: 'The disk {device} at {computer} cannot be reached; programs that need it wait.',
    hint: 'bring {computer} back to the network; the disk then goes on by itself',
  },
  diskNotShared: {
    family: 'refused',
    what: 'The OS lies in {layer} on its disk: from {computer} that can only be used over the network yet, not by itself.',
    hint: 'yado migrate {computer}',
  },
  diskStays: {
    family: 'refused',
    what: 'An encrypted disk does not follow to {computer} yet: it can only stay where it is and be used over the network.',
    hint: 'yado migrate {computer}',
  },
  followFailed: {
    family: 'failed',
    what: 'The disk {device} does not follow: {reason}.',
    hint: 'it stays where it was; yado devices',
  },
  volumeChanged: {
    family: 'failed',
    what: 'The disk {device} has changed since the move began: {what}.',
    hint: '{hint}',
  },
  volumeUnfit: {
    family: 'unreachable',
    what: 'The volume {volume} on the disk at {place} cannot be used for the OS: {reason}.',
    hint: 'lvs -a -o name,segtype,devices; it is tried again by itself',
  },
  deviceAway: {
    family: 'unreachable',
    what: '{device} at {computer} does not work: {reason}.',
    hint: 'look at it there, it goes on by itself; one that is lent comes home by: yado return {device}',
  },

  nothingToLend: {
    family: 'refused',
    what: '{computer} has no {class} to lend: {reason}.',
    hint: 'choose another computer: yado computers',
  },
  notLentHere: {
    family: 'refused',
    what: '{computer} does not lend {device} (any more).',
    hint: 'yado return {device}, then: yado lend {device} --to {computer}',
  },
  staleEpoch: {
    family: 'refused',
    what: '{computer} has {device} in epoch {ours} of the OS; what came is of epoch {theirs}, from an older copy of it.',
    hint: 'yado where',
  },
  screenTooLarge: {
    family: 'refused',
    what: 'A picture of {mode} needs {needed} MiB; a computer that lends its screen gives at most {limit}.',
    hint: 'set a smaller mode (fbset), or: yado return {device}',
  },
  lentToAnother: {
    family: 'busy',
    what: '{computer} has lent its {class} to {os}.',
    hint: 'there: yado return {device}',
  },

  preflightRefused: {
    family: 'refused',
    what: 'The OS cannot move from {source} to {target}: {reasons}',
    hint: '{next}',
  },
  versionMismatch: {
    family: 'refused',
    what: '{computer} speaks protocol {theirs}, this computer speaks {ours}.',
    hint: 'make the medium of {computer} anew with this version (yado unpair {computer}, then yado standby build {computer} --usb /dev/sdX)',
  },
  imageMismatch: {
    family: 'refused',
    what: 'The agent image on {computer} is not the one on this computer.',
    hint: 'make the medium of {computer} anew with this version (yado unpair {computer}, then yado standby build {computer} --usb /dev/sdX)',
  },
  wrongRole: {
    family: 'refused',
    what: '{computer} is {role}, but would have to be {wanted}.',
    hint: 'yado status on {computer}; a ghost becomes a standby by: yado standby {computer}',
  },
  notInThisRole: {
    family: 'refused',
    what: '{computer} does not answer "{request}" in its present role.',
    hint: 'yado status on {computer}; only a standby or a ghost lends devices, only a standby takes in an OS',
  },
  noSnapshotDevice: {
    family: 'refused',
    what: '{computer} offers no /dev/snapshot: {reason}.',
    hint: 'start {computer} without Secure Boot lockdown and without "nohibernate"',
  },
  notEnoughMemorySource: {
    family: 'refused',
    what: '{computer} uses {used} of {total} of its memory; an image can hold at most {limit}.',
    hint: 'end programs on {computer}, or give it swap, then try again',
  },
  swapFileFailed: {
    family: 'refused',
    what: 'The image needs room, but {computer} cannot make a swap file in {folder}: {reason}.',
    hint: 'make room on the disk of the OS, or end programs on {computer}, then try again',
  },
  swapStays: {
    family: 'refused',
    what: 'The OS swaps to {path}, which stays at {computer}, and it cannot be switched off: {reason}.',
    hint: 'end programs on {computer}, or: swapoff {path}, then try again',
  },
  notEnoughMemoryTarget: {
    family: 'refused',
    what: '{computer} has {free} of free memory, but the image needs {needed}.',
    hint: 'choose a computer with more memory: yado computers',
  },
  hookRefused: {
    family: 'refused',
    what: 'A program of yours does not let the OS leave {computer} ({event}): {reason}; nothing was stopped.',
    hint: 'in the OS: ls -l /etc/yadokari/hooks/{event}; when it agrees: yado migrate {target}',
  },
  downtimeTooLong: {
    family: 'refused',
    what: 'The OS stays on {source}: to go to {computer} it would stand still for about {seconds} s, more than the {most} s that were allowed ({reason}).',
    hint: 'when less is going on, or with more time: yado migrate {computer} --max-downtime',
  },
  targetRefused: {
    family: 'refused',
    what: '{computer} refused the OS: {reason}.',
    hint: 'yado migrate {computer} --dry-run',
  },

  agentWouldBeLost: {
    family: 'refused',
    what: '{computer} cannot become a standby by itself: no memory is set aside there for its agent, which would be lost.',
    hint: 'switch {computer} off and start it from a standby medium (yado standby build), which serves what is left there; or leave it as it is',
  },
  deviceHeld: {
    family: 'refused',
    what: 'Programs on {source} have opened {device} since ({programs}), and it cannot be taken away from them; the OS goes on at {source}.',
    hint: 'end these programs, then: yado migrate {computer}',
  },
  edgeInUse: {
    family: 'refused',
    what: 'Page frame {frame} of the OS lies where {computer} has no memory, and the OS on {source} cannot do without it: {reason}.',
    hint: 'start the OS with {parameters}',
  },
  frameOutsideRam: {
    family: 'failed',
    what: 'Page frame {frame} of the OS lies where {computer} has no memory.',
    hint: 'start the OS with a smaller mem= so that it fits into {computer}',
  },
  streamTruncated: {
    family: 'failed',
    what: 'The stream from {computer} ended after {got} of {expected} bytes.',
    hint: 'check the network, then: yado migrate {computer}',
  },
  badFrame: {
    family: 'failed',
    what: '{computer} sent a frame that is not valid: {reason}.',
    hint: 'check that both computers have the same version: yado status',
  },
  frameTooLarge: {
    family: 'failed',
    what: '{computer} sent a frame of {size} bytes; at most {limit} are allowed.',
    hint: 'check that both computers have the same version: yado status',
  },
  linkLost: {
    family: 'failed',
    what: 'The connection to {computer} broke while {phase}; the OS goes on at {source}.',
    hint: 'check the cable, then: yado migrate {computer}',
  },
  tampered: {
    family: 'failed',
    what: 'What came from {computer} was changed on the way or sent by somebody else; the OS goes on at {source}.',
    hint: 'find out who else is on the network between them, then try again: yado computers',
  },
  claimTimeout: {
    family: 'failed',
    what: '{computer} did not claim the OS within {seconds} s; the OS goes on at {source}.',
    hint: 'look at the screen of {computer}, restart it if needed, then: yado migrate {computer}',
  },
  phaseTimeout: {
    family: 'failed',
    what: '{computer} took longer than {seconds} s while {phase}; the OS goes on at {source}.',
    hint: 'yado migrate {computer}',
  },
  restoreFailed: {
    family: 'failed',
    what: 'The kernel of {computer} refused the image: {reason}; the OS goes on at {source}.',
    hint: 'yado migrate {computer} --dry-run',
  },
  disksBehind: {
    family: 'failed',
    what: 'The disks of {computer} did not take within {seconds} s what was to be written to them; nothing was stopped.',
    hint: 'dmesg on {computer}; when the disks are idle, try again',
  },
  freezeFailed: {
    family: 'failed',
    what: '{task} on {computer} would not stand still.',
    hint: 'end {task}, then try again',
  },
  imageFailed: {
    family: 'failed',
    what: 'The image of the OS could not be made on {computer}: {reason}.',
    hint: 'what the kernel says: journalctl -k -b on {computer}; then try again',
  },
  swapOutFailed: {
    family: 'failed',
    what: '{computer} could not swap out what the image has no room for: {reason}; the OS goes on at {computer}.',
    hint: 'end programs on {computer} that use much memory, then try again',
  },
  deviceLeaveFailed: {
    family: 'failed',
    what: '{computer} could not {step}: {reason}; the OS goes on at {computer}.',
    hint: 'yado devices; what the agent says: journalctl -b -u yadod',
  },
  ghostFailed: {
    family: 'failed',
    what: 'What keeps the devices of {computer} for the OS could not run there: {reason}; the OS goes on at {computer}.',
    hint: 'yado migrate {target}',
  },
  markFailed: {
    family: 'failed',
    what: 'The disk of {computer} could not be marked as left, without which a power cut could start the OS twice: {reason}; the OS goes on at {computer}.',
    hint: 'look at the disk (journalctl -k -b), then: yado migrate {target}',
  },
  deviceArriveFailed: {
    family: 'failed',
    what: '{computer} could not {step}: {reason}.',
    hint: 'yado devices; what the agent says: journalctl -b -u yadod',
  },
  kexecFailed: {
    family: 'failed',
    what: '{computer} could not start its standby image: {reason}.',
    hint: 'start {computer} from its medium (made by: yado standby build {computer} --usb /dev/sdX)',
  },

  busy: {
    family: 'busy',
    what: '{computer} is busy: {activity}.',
    hint: 'yado wait, then try again',
  },
  servesAnotherOs: {
    family: 'busy',
    what: '{computer} serves {devices} to {os}, which would lose it.',
    hint: 'bring {os} home first (there: yado migrate {computer}), or choose another computer',
  },
  cancelled: {
    family: 'cancelled',
    what: 'The migration to {computer} was cancelled; the OS goes on at {source}.',
    hint: 'yado migrate {computer}',
  },
  tooLateToCancel: {
    family: 'busy',
    what: '{computer} has already been granted the OS; the move can no longer be cancelled.',
    hint: 'yado wait, then: yado migrate {source}',
  },

  illegalTransition: {
    family: 'internal',
    what: 'The {role} side of the migration got "{event}" in state "{state}", which must not happen.',
    hint: 'please report this with: yado history --json',
  },
  internal: {
    family: 'internal',
    what: 'Something went wrong inside Yadokari on {computer}: {reason}.',
    hint: 'please report this with: journalctl -u yadod',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

type Placeholders<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
/** The parameters one code needs, taken from its sentence and its hint. */
export type ErrorParams<Code extends ErrorCode> = Readonly<
  Record<Placeholders<(typeof errorTable)[Code]['what'] | (typeof errorTable)[Code]['hint']>, string | number>
>;

/** The only error class of the project. `message` and `hint` are written for the user. */
export class YadoError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'YadoError';
    this.code = code;
    this.hint = hint;
  }

  get family(): ErrorFamily {
    return errorTable[this.code].family;
  }

  get exitCode(): number {
    return families[this.family].exitCode;
  }

  /** What the API sends: `{code, message, hint}`; the cause stays where it is. */
  toJSON(): { code: ErrorCode; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

/** Makes an error from the table. `params` replace the `{…}` of its sentence and hint. */
export function yadoError<Code extends ErrorCode>(
  code: Code,
  params: ErrorParams<Code>,
  cause?: unknown,
): YadoError {
  const entry = errorTable[code];
  return new YadoError(code, fill(entry.what, params), fill(entry.hint, params), cause);
}

/** An error that came as `{code, message, hint}` from an agent; an unknown code counts as `internal`. */
export function errorFromBody(body: { code: string; message: string; hint: string }): YadoError {
  return new YadoError(isErrorCode(body.code) ? body.code : 'internal', body.message, body.hint);
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}

/** Any thrown thing as a YadoError; what is not one becomes `internal` on `computer`. */
export function asYadoError(thrown: unknown, computer: string): YadoError {
  if (thrown instanceof YadoError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return yadoError('internal', { computer, reason }, thrown);
}
