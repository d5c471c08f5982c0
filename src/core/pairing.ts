// Pairing: how an OS and a computer that know nothing of each other exchange keys over a network that anybody may be in
// the middle of. Numeric comparison, as Bluetooth and ZRTP do it: the OS commits to its key and a random number before it
// learns the computer's, so that whoever sits in between must choose blindly, and the two codes of six digits that the
// person compares are equal for one try in a million. Pure: hash, random numbers and time come in.
import type { Pin } from './pins.ts';

/** What one side brings: names as in the configuration; key and nonce are base64url of 32 bytes. */
export interface PairingHalf extends Pin {
  readonly nonce: string;
}

export type PairingMessage =
  | { readonly type: 'commit'; readonly name: string; readonly commitment: string }
  | { readonly type: 'offer'; readonly name: string; readonly key: string; readonly nonce: string }
  | { readonly type: 'reveal'; readonly key: string; readonly nonce: string }
  /** What the person at this side says of the code. */
  | { readonly type: 'verdict'; readonly agrees: boolean };

/** Of UTF-8 text: 32 bytes nobody can choose the text for. */
export type Hash = (text: string) => Uint8Array;

export type PairingEnd =
  /** What was revealed is not what was committed to. */
  | 'forged'
  /** A message that has no place here. */
  | 'outOfOrder'
  /** The computer that answers has another name than the one that was asked for. */
  | 'otherName'
  | 'declinedHere'
  | 'declinedThere'
  | 'lost'
  | 'late';

export type PairingState =
  /** The OS has committed itself and waits for an offer. */
  | { readonly at: 'committed'; readonly me: PairingHalf; readonly wanted: string }
  /** The computer waits for whoever comes. */
  | { readonly at: 'open'; readonly me: PairingHalf }
  /** The computer has made its offer. */
  | {
      readonly at: 'offered';
      readonly me: PairingHalf;
      readonly name: string;
      readonly commitment: string;
    }
  | {
      readonly at: 'comparing';
      readonly them: Pin;
      /** Six digits. */
      readonly code: string;
      readonly agreedHere: boolean;
      readonly agreedThere: boolean;
    }
  | { readonly at: 'paired'; readonly them: Pin }
  | { readonly at: 'ended'; readonly why: PairingEnd; readonly name: string };

export type PairingEvent =
  | { readonly message: PairingMessage }
  /** The person here has compared the codes. */
  | { readonly agrees: boolean }
  | { readonly stop: 'lost' | 'late' };

export interface PairingStep {
  readonly state: PairingState;
  readonly send: readonly PairingMessage[];
}

/** How long a computer may be paired after somebody there asked for it, and how many may try. */
export const acceptMs = 120_000;
export const acceptAttempts = 3;

/** The side of the OS. @param wanted name of the computer */
export function callForPairing(me: PairingHalf, wanted: string, hash: Hash): PairingStep {
  return {
    state: { at: 'committed', me, wanted },
    send: [{ type: 'commit', name: me.name, commitment: commitmentOf(me, hash) }],
  };
}

/** The side of the computer. */
export function awaitPairing(me: PairingHalf): PairingStep {
  return { state: { at: 'open', me }, send: [] };
}

/** What follows from an event; one that comes after the end changes nothing. */
export function pairingStep(state: PairingState, event: PairingEvent, hash: Hash): PairingStep {
  if (state.at === 'paired' || state.at === 'ended') return { state, send: [] };
  if ('stop' in event) return ended(state, event.stop);
  if ('agrees' in event) return judged(state, event.agrees);
  const { message } = event;
  if (message.type === 'verdict' && !message.agrees) return ended(state, 'declinedThere');
  if (state.at === 'committed' && message.type === 'offer') {
    const { me, wanted } = state;
    const { name, key, nonce } = message;
    if (name !== wanted) return ended({ ...state, wanted: name }, 'otherName');
    return {
      state: comparing({ name, key }, codeOf(me, { name, key, nonce }, hash)),
      send: [{ type: 'reveal', key: me.key, nonce: me.nonce }],
    };
  }
  if (state.at === 'open' && message.type === 'commit') {
    const { me } = state;
    const { name, commitment } = message;
    const { key, nonce } = me;
    return {
      state: { at: 'offered', me, name, commitment },
      send: [{ type: 'offer', name: me.name, key, nonce }],
    };
  }
  if (state.at === 'offered' && message.type === 'reveal') {
    const them = { name: state.name, key: message.key, nonce: message.nonce };
    if (commitmentOf(them, hash) !== state.commitment) return ended(state, 'forged');
    return {
      state: comparing({ name: them.name, key: them.key }, codeOf(them, state.me, hash)),
      send: [],
    };
  }
  if (state.at === 'comparing' && message.type === 'verdict' && !state.agreedThere)
    return { state: settled({ ...state, agreedThere: true }), send: [] };
  return ended(state, 'outOfOrder');
}

type Comparing = Extract<PairingState, { at: 'comparing' }>;

const comparing = (them: Pin, code: string): Comparing => ({
  at: 'comparing',
  them,
  code,
  agreedHere: false,
  agreedThere: false,
});

/** Before there is a code nobody can have compared it: a yes is none then. */
function judged(state: PairingState, agrees: boolean): PairingStep {
  if (!agrees) return { ...ended(state, 'declinedHere'), send: [{ type: 'verdict', agrees }] };
  if (state.at !== 'comparing' || state.agreedHere) return { state, send: [] };
  return { state: settled({ ...state, agreedHere: true }), send: [{ type: 'verdict', agrees }] };
}

const settled = (state: Comparing): PairingState =>
  state.agreedHere && state.agreedThere ? { at: 'paired', them: state.them } : state;

function ended(state: PairingState, why: PairingEnd): PairingStep {
  return { state: { at: 'ended', why, name: nameOf(state) }, send: [] };
}

/** Of the other side, as far as it is known. */
function nameOf(state: PairingState): string {
  switch (state.at) {
    case 'committed':
      return state.wanted;
    case 'open':
      return 'the other side';
    case 'comparing':
    case 'paired':
      return state.them.name;
    default:
      return state.name;
  }
}

const commitmentOf = ({ name, key, nonce }: PairingHalf, hash: Hash): string =>
  base64url(hash(JSON.stringify(['yadokari pairing 1, commitment', name, key, nonce])));

/** The same on both sides when nobody is in between. */
function codeOf(os: PairingHalf, computer: PairingHalf, hash: Hash): string {
  const halves = [os, computer].flatMap(({ name, key, nonce }) => [name, key, nonce]);
  const bytes = hash(JSON.stringify(['yadokari pairing 1, code', ...halves]));
  const number = bytes.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
  return String(number % 1_000_000).padStart(6, '0');
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
