// The calls of the local API about pairing, for an OS: it is paired with computers, and other OSes with the computer it is
// on. What they leave in memory the command line writes to the disk.
import type { Medium, MediumRequest, PairRequest, Pairs, UnpairRequest } from '#core/api.ts';
import type { Computer } from '#core/computer.ts';
import type { Pin } from '#core/pins.ts';
import { keysArchive } from '#linux/cpio.ts';
import type { ApiHandlers } from './api-server.ts';
import type { OsKeyring } from './os-keyring.ts';
import { Pairings } from './pairings.ts';

export interface PairingOs {
  readonly osId: string;
  readonly keys: OsKeyring;
  /** The computer it is on. */
  here(): Computer;
  /** @throws YadoError `unknownComputer` */
  computer(name: string): Computer;
}

export interface OsPairing {
  readonly handlers: Required<
    Pick<ApiHandlers, 'pairs' | 'pair' | 'accept' | 'confirm' | 'unpair' | 'medium'>
  >;
  /** Gives up what is under way: nothing may be open in an OS that is frozen. */
  close(): Promise<void>;
}

export function osPairing(os: PairingOs, pairings = new Pairings()): OsPairing {
  const { keys } = os;
  const meHere = (): Pin => ({ name: os.here().name, key: keys.computer.server.identity.publicKey });
  return {
    close: () => pairings.close(),
    handlers: {
      pairs: (): Pairs => ({
        computer: { ...meHere(), owners: [...keys.computer.keys.owners] },
        os: {
          id: os.osId,
          key: keys.identity.publicKey,
          computers: [...keys.paired.computers],
          owners: [...keys.paired.owners],
        },
      }),
      pair: async ({ computer, address }: PairRequest) => {
        const there = address === undefined ? os.computer(computer) : { name: computer, address };
        const me = { name: os.osId, key: keys.identity.publicKey };
        const { them, code } = await pairings.call(me, there, os.here().address, pin =>
          keys.pin({ ...pin, ...(address !== undefined && { address }) }),
        );
        return { name: them.name, code };
      },
      accept: async () => {
        const { address } = os.here();
        const { them, code } = await pairings.accept(meHere(), address, pin => keys.own(pin));
        return { name: them.name, code };
      },
      confirm: async request => ({ name: (await pairings.confirm(request)).name }),
      unpair: ({ name }: UnpairRequest) => {
        keys.unpin(name);
        return {};
      },
      medium: ({ computer, address }: MediumRequest): Medium => {
        if (address === undefined) os.computer(computer);
        const made = keys.keysFor({ name: computer, ...(address !== undefined && { address }) });
        return { keys: keysArchive(made).toString('base64') };
      },
    },
  };
}
