// Somebody on the network between two ends: passes on what the connecting one sends, unit by unit, changed on the way, and
// keeps a record of it. What comes back is left as it is.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How long the first unit of these bytes is; undefined while that cannot be told. */
export type Cutter = (bytes: Buffer) => number | undefined;

export const tlsRecord: Cutter = bytes => (bytes.length < 5 ? undefined : 5 + bytes.readUInt16BE(3));
/** A length before it, as control messages and those of pairing have. */
export const message: Cutter = bytes => (bytes.length < 4 ? undefined : 4 + bytes.readUInt32LE(0));

/** What goes on instead of the unit of that number; with 'hangUp' behind it nothing more does. */
export type Change = (unit: Buffer, index: number) => readonly (Buffer | 'hangUp')[];

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** What the connecting end has sent. */
  readonly recorded: Buffer[];
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Listens at `here`, port 0: some free one. */
export async function relay(here: Place, there: Place, cut: Cutter, change: Change): Promise<Relay> {
  const recorded: Buffer[] = [];
  const ends = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(there);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroySoon());
    }
    far.on('data', (chunk: Buffer) => near.write(chunk));
    let pending = Buffer.alloc(0);
    near.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (
        let length = cut(pending);
        length !== undefined && length <= pending.length;
        length = cut(pending)
      ) {
        const unit = Buffer.from(pending.subarray(0, length));
        pending = pending.subarray(length);
        recorded.push(unit);
        for (const each of change(unit, recorded.length - 1)) {
          if (each === 'hangUp') far.end();
          else if (far.writable) far.write(each);
        }
      }
    });
  });
  server.listen(here);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    recorded,
    async [Symbol.asyncDispose]() {
      for (const each of ends) each.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export const unchanged: Change = unit => [unit];

/** What can be done to the unit of a number, by name. `lengthAt`, `lengthBytes`: where it says how long it is. */
export function attacks(number: number, lengthAt: number, lengthBytes: 2 | 4): Record<string, () => Change> {
  const only =
    (change: (unit: Buffer) => readonly (Buffer | 'hangUp')[]): (() => Change) =>
    () =>
    (unit, index) =>
      index === number ? change(unit) : [unit];
  return {
    replayed: only(unit => [unit, unit]),
    reordered: () => {
      let held: Buffer | undefined;
      return (unit, index) => {
        if (index !== number) return index === number + 1 && held ? [unit, held] : [unit];
        held = unit;
        return [];
      };
    },
    truncated: only(unit => [unit.subarray(0, -1), 'hangUp']),
    'bit-flipped': only(unit => {
      const at = Math.floor((lengthAt + lengthBytes + unit.length) / 2);
      unit.writeUInt8(unit.readUInt8(at) ^ 1, at);
      return [unit];
    }),
    oversized: only(unit => {
      unit.fill(0xff, lengthAt, lengthAt + lengthBytes);
      return [unit, Buffer.alloc(70_000)];
    }),
  };
}
