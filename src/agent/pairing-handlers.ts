// The calls of the local API about pairing, for a computer without an OS. Those of an OS are in os-pairing.ts.
import type { Pairs, UnpairRequest } from '#core/api.ts';
import type { Pin } from '#core/pins.ts';
import type { ApiHandlers } from './api-server.ts';
import type { ComputerKeyring } from './computer-keys.ts';
import { Pairings } from './pairings.ts';

export type PairingHandlers = Pick<ApiHandlers, 'pairs' | 'accept' | 'confirm' | 'unpair'>;

/** @param tell shows lines to somebody before this computer; nothing: as before */
export function pairingHandlers(
  name: string,
  address: string,
  keyring: ComputerKeyring,
  tell: (lines?: readonly string[]) => void,
  pairings = new Pairings(),
): PairingHandlers {
  const me = (): Pin => ({ name, key: keyring.server.identity.publicKey });
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      tell();
      throw error;
    }
  };
  return {
    pairs: (): Pairs => ({ computer: { ...me(), owners: [...keyring.keys.owners] } }),
    accept: () =>
      told(
        pairings
          .accept(me(), address, pin => keyring.own(pin))
          .then(({ them, code }) => {
            tell(codeLines(them.name, code));
            return { name: them.name, code };
          }),
      ),
    confirm: request =>
      told(
        pairings.confirm(request).then(({ name: os }) => {
          tell();
          return { name: os };
        }),
      ),
    unpair: ({ name: os }: UnpairRequest) => {
      keyring.disown(os);
      tell();
      return {};
    },
  };
}

const codeLines = (os: string, code: string): string[] => [
  `the OS ${os} asks to use this computer`,
  '',
  `code      ${code.slice(0, 3)} ${code.slice(3)}`,
  '',
  'if the OS shows the same code, confirm it on both sides',
];
