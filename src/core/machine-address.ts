// The address of a computer itself, over which moves go. Pure.
import type { Computer } from './computer.ts';

/** Of a machine address whose network nobody has named. */
const usualPrefixLength = 24;

interface Ipv4 {
  readonly value: number;
  readonly prefixLength: number;
}

/** "10.0.1.11/24"; undefined when it is none. */
function parseIpv4(text: string): Ipv4 | undefined {
  const numbers = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text)?.slice(1).map(Number);
  if (!numbers) return undefined;
  const [prefixLength = 0] = numbers.splice(4);
  if (prefixLength > 32 || numbers.some(each => each > 255)) return undefined;
  return { value: numbers.reduce((sum, each) => sum * 256 + each, 0), prefixLength };
}

export const isMachineAddress = (text: string): boolean => parseIpv4(text) !== undefined;

/** A computer with its address as settings have it, with or without prefix length. */
export function computerAt(name: string, machineAddress: string): Computer {
  const [address = ''] = machineAddress.split('/');
  return inNetworkOf({ name, address }, machineAddress);
}

/** The computer, with the prefix length that it has said itself. */
export function inNetworkOf(computer: Computer, machineAddress = ''): Computer {
  const prefixLength = parseIpv4(machineAddress)?.prefixLength;
  return prefixLength === undefined ? computer : { ...computer, prefixLength };
}

/** "10.0.1.11/24". */
export const machineAddressOf = ({ address, prefixLength }: Omit<Computer, 'name'>): string =>
  `${address}/${prefixLength ?? usualPrefixLength}`;

/** Whether two addresses with prefix length lie each in the network of the other, as far as anybody knows. */
export function reachEachOther(a: string, b: string): boolean {
  const [one, other] = [parseIpv4(a), parseIpv4(b)];
  if (!one || !other) return true;
  const size = 2 ** (32 - Math.max(one.prefixLength, other.prefixLength));
  return Math.floor(one.value / size) === Math.floor(other.value / size);
}
