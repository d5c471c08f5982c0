// Keys for tests: an OS "crab" and computers, all with one key, that are paired with each other. Used by tests only.
import { identityOf, newSecret, type OsKeys, type ServerKeys } from './identity.ts';

const os = identityOf(newSecret());
const computer = identityOf(newSecret());

export const fakeOs: OsKeys = { identity: os, pinOf: () => computer.publicKey };

export const fakeComputer = (): ServerKeys => ({
  identity: computer,
  ownerOf: key => (key === os.publicKey ? 'crab' : undefined),
});
