// The address of a computer itself, over which moves go. Pure.

/** What a computer that the OS has left is told of its network: it knows no more than its address. */
export const standbyPrefixLength = 24;

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

/** Whether two addresses with prefix length lie each in the network of the other, as far as anybody knows. */
export function reachEachOther(a: string, b: string): boolean {
  const [one, other] = [parseIpv4(a), parseIpv4(b)];
  if (!one || !other) return true;
  const size = 2 ** (32 - Math.max(one.prefixLength, other.prefixLength));
  return Math.floor(one.value / size) === Math.floor(other.value / size);
}
