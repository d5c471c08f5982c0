// The role `standby`: waits for an OS, shows so on the screen, and takes it in through the frozen helper.
import { randomBytes } from 'node:crypto';
import type { RamRange } from '#core/capabilities.ts';
import { fastestCipher } from '#core/ciphers.ts';
import type { DeviceClass } from '#core/device-class.ts';
import { asYadoError, type YadoError, yadoError } from '#core/errors.ts';
import { computerAt } from '#core/machine-address.ts';
import { mayHavePages, parkBytesOf } from '#core/precopy.ts';
import { inspectAlone } from '#core/preflight.ts';
import type { Progress } from '#core/progress.ts';
import { lookForDisk } from '#devices/disk/look.ts';
import { readRsdp } from '#linux/acpi.ts';
import { armedEvents } from '#linux/acpi-events.ts';
import { moveToken, tlsKeys } from '#linux/channel-keys.ts';
import { type MemoryPiece, readMemoryPieces } from '#linux/kcore.ts';
import { endComputer } from '#linux/kexec.ts';
import { cryptoInfo, forgetKeys } from '#linux/ktls.ts';
import { LinkClient } from '#linux/link-client.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import { dropCaches, setFreezeTimeout } from '#linux/power.ts';
import { listenTcp } from '#linux/tcp-listener.ts';
import { loadServices } from '#managers/service-list.ts';
import {
  bulkPort,
  type ControlAnswer,
  type ControlRequest,
  controlPort,
  type Ending,
  protocolVersion,
} from '#wire/control.ts';
import { maxParkPages, tagSeedBytes } from '#wire/frames.ts';
import { encodeTargetJob } from '#wire/job.ts';
import { ApiServer, errorEvent } from './api-server.ts';
import { agentImageHash, gatherCapabilities, measuredOnce } from './capabilities.ts';
import { ComputerKeyring, readAskerKeys } from './computer-keys.ts';
import type { Config } from './config.ts';
import { ControlServer } from './control-server.ts';
import { deviceHandlers } from './device-handlers.ts';
import { loadLendable } from './drivers.ts';
import { armedFaults } from './faults.ts';
import { type RunningHelper, startHelper } from './helper.ts';
import { DevicesLeft, findMarkedDisk, markOn, readLeftBehind } from './left-behind.ts';
import { LentDevices } from './lent-devices.ts';
import { log } from './log.ts';
import { makeRoom } from './make-room.ts';
import { standingOf } from './mark-standing.ts';
import { MarkedDisk } from './marked-disk.ts';
import { NeverAgain } from './never-again.ts';
import { pairingHandlers } from './pairing-handlers.ts';
import { show, showOn } from './screen.ts';
import { targetSentence } from './sentences.ts';
import { TakingIn } from './taking-in.ts';
import { farewellWaits, lentQuietMs, targetTimeouts } from './timeouts.ts';
import { version } from './version.ts';

/** A disk whose driver was loaded just now is looked for so long; less than who asks waits for the answer. */
const diskLookMs = 6000;

export async function runStandby(config: Config, cardName: string): Promise<void> {
  const here = computerAt(config.computer.name, config.computer.address);
  const { name, address: ip } = here;
  const { address } = config.computer;
  showOn('/dev/tty1'); // the second one has a prompt (standby/prompt)
  using links = new LinkClient();
  const card = links.link(cardName);
  const keyring = new ComputerKeyring();
  const services = await loadServices();
  const told = readLeftBehind(services);
  const onDisk = findMarkedDisk(services, { osId: told?.osId, computer: name });
  const found = onDisk && standingOf(onDisk.mark, name);
  const behind = told ?? found?.left;
  const cipherRates = measuredOnce();
  const left = behind?.behind.length
    ? new DevicesLeft(behind, here, fastestCipher(await cipherRates()) ?? 'aes128gcm', services)
    : undefined;
  const startsHere = found?.startsHere ?? left?.startsFromHere ?? false;
  // What a ghost has told leaves no doubt; else this computer was switched off since.
  const marked =
    found &&
    new MarkedDisk(onDisk.node, told ? { ...found.mark, state: 'left' } : found.mark, {
      here,
      elsewhere: found.elsewhere,
      asker: readAskerKeys(),
      changed: () => idle(),
      now: () => markOn(onDisk.node, services),
      isServed: () => left?.hasDisk ?? false,
      serve: () => serve(),
      stop: async () => left?.stop(),
      endComputer,
    });
  const never = new NeverAgain(name);
  let helper: RunningHelper | undefined;
  let progress: Progress | undefined;
  let preparing = false;
  /** Of the OS that is being taken in. */
  let takingIn = '';

  const capabilities = async () =>
    gatherCapabilities(
      name,
      'standby',
      await agentImageHash(),
      await cipherRates(),
      card?.mac ? { name: card.name, mac: card.mac, address } : undefined,
      readRsdp(),
    );
  const lent = new LentDevices(name, lentQuietMs(), loadLendable, () => idle(), services);
  let served: string | undefined;
  const idle = (remark = ''): void => {
    served = left?.names.join();
    show(name, [
      'waiting for an OS',
      '',
      `address   ${address}`,
      `card      ${cardName || 'none'} ${card?.mac ?? ''}`,
      ...(left?.names.length ? [`serving   ${left.names.join(', ')} of ${behind?.osId}`] : []),
      ...lent.words.map(words => `lending   ${words}`),
      '',
      ...(marked?.lines ?? []),
      ...(keyring.keys.owners.length > 0
        ? ['on the computer that has the OS, type:', `    yado migrate ${name}`]
        : ['no OS may use this computer yet; to pair it: Alt+F2, and type', '    yado accept']),
      '',
      remark,
    ]);
  };

  /** @throws YadoError `busy` */
  function refuseWhileBusy(): void {
    if (helper || preparing) throw yadoError('busy', { computer: name, activity: 'it is taking in an OS' });
    if (ending)
      throw yadoError('busy', { computer: name, activity: 'an OS that was served here has just ended' });
  }

  /** One at a time, also while the one before is still getting ready. */
  async function prepare(request: ControlRequest<'prepare'>): Promise<ControlAnswer<'prepare'>> {
    refuseWhileBusy();
    left?.refuseAnother(request.osId);
    if (left) marked?.heard(); // it runs, for it is about to come
    never.refuse(request);
    preparing = true;
    takingIn = request.osId;
    try {
      return await begin(request);
    } finally {
      preparing = false;
    }
  }

  async function begin({
    osId,
    epoch,
    secret,
    cipher,
    imageBytes,
    kept,
    source,
    isForeign,
    sourceAddress,
  }: ControlRequest<'prepare'>): Promise<ControlAnswer<'prepare'>> {
    await lent.stop();
    await agentImageHash(); // reading the image fills the page cache
    dropCaches();
    const mine = await capabilities();
    if (mine.memory.freeBytes < imageBytes * 1.05) {
      throw yadoError('notEnoughMemoryTarget', {
        computer: name,
        free: mebi(mine.memory.freeBytes),
        needed: mebi(imageBytes),
      });
    }
    setFreezeTimeout(3000);
    const parkBytes = parkBytesOf(mine.memory.freeBytes, imageBytes);
    const room = makeRoom(mine, kept, isForeign ? armedEvents() : []);
    using listener = listenTcp(ip, bulkPort);
    const keys = tlsKeys(secret, 'image', cipher, 'server');
    const looks = mayHavePages(osId, behind?.osId, mine.agentImageHash);
    const memory = looks ? ownMemory(mine.memory.ramRanges) : [];
    const tagSeed = memory.length > 0 ? randomBytes(tagSeedBytes) : new Uint8Array();
    const tls = { out: cryptoInfo(keys.out), in: cryptoInfo(keys.in) };
    forgetKeys(keys);
    const job = encodeTargetJob({
      epoch,
      token: moveToken(secret),
      tls,
      sourceAddress,
      timeouts: targetTimeouts(),
      faults: armedFaults(),
      ramRanges: mine.memory.ramRanges,
      e820Checksum: mine.e820Checksum,
      physicalPages: mine.physicalPageCount,
      parkPages: Math.min(Math.floor(parkBytes / PAGE_BYTES), maxParkPages),
      memory,
      tagSeed,
      makeRoom: room.plan,
    });
    const { promise: open, resolve: opened } = Promise.withResolvers<void>();
    const taking = new TakingIn({ id: `${epoch}`, source, target: name, imageBytes }, performance.now());
    const running = startHelper('target', job, listener.fd, {
      progress: told => {
        opened();
        progress = taking.with(told, performance.now());
        api.emit('progress', progress);
        show(name, [`receiving the OS ${osId} from ${source}`, '', ...taking.lines]);
      },
    });
    for (const each of [secret, tls.out, tls.in]) each.fill(0);
    helper = running;
    log(`taking in ${osId} from ${source}, epoch ${epoch}`);
    const ended = running.report.then(
      report => {
        if (report.reason === 'restore') room.undo();
        return targetSentence(report, { source, target: name });
      },
      (error: Error) => error.message,
    );
    void ended.then(sentence => {
      helper = undefined;
      // Whoever follows it here would wait for ever; had the OS arrived, nobody would be left to be told.
      if (progress) api.emit('failed', errorEvent(notTakenIn(sentence)));
      progress = undefined;
      log(sentence);
      idle(`last: ${sentence}`);
    });
    await Promise.race([open, ended.then(sentence => Promise.reject(notTakenIn(sentence)))]);
    job.fill(0); // the helper has it
    return { port: bulkPort, parkBytes, keys: keyring.keys, tagSeed };
  }

  const notTakenIn = (sentence: string): YadoError =>
    yadoError('targetRefused', { computer: name, reason: sentence.replace(/\.$/, '') });

  /** A copy of the OS would not answer: whoever does has it not, unless it comes in just now or was here before. */
  function whereIs(asked: ControlRequest<'whereIs'>): ControlAnswer<'whereIs'> {
    const { osId, epoch } = asked;
    if (takingIn === osId && (helper || preparing)) return { where: 'arriving' };
    if (behind?.osId === osId && behind.epoch >= epoch) return { where: 'here' };
    never.promise(asked);
    return { where: 'nowhere' };
  }

  let ending: NodeJS.Timeout | undefined;
  /** The OS that has left something here has ended, wherever it was. */
  function ended({ osId, epoch, how }: ControlRequest<'ended'>): ControlAnswer<'ended'> {
    const isIts = osId === (behind?.osId ?? found?.mark.osId);
    if (!isIts && how === 'stay') return {}; // it has asked nothing of this computer, or what it asked is over
    if (!isIts || (how !== 'stay' && !startsHere)) throw yadoError('nothingToResume', { computer: name });
    if (ending) return {};
    refuseWhileBusy();
    left?.refuseOlder(epoch);
    if (how !== 'stay') marked?.refuseOlder(epoch);
    ending = setTimeout(() => void end(osId, how), farewellWaits().settleMs);
    return {};
  }

  async function end(osId: string, how: Ending): Promise<void> {
    log(`${osId} has ended`);
    try {
      if (how === 'stay') await left?.end();
      else if (marked) await marked.resume(how);
      else {
        await left?.stop();
        left?.unmark();
        endComputer(how);
      }
      idle(`last: ${osId} has ended`);
    } catch (error) {
      const { message } = asYadoError(error, name);
      log(message);
      idle(`last: ${osId} has ended, but its disk here is as it was: ${message}`);
    } finally {
      ending = undefined;
    }
  }

  const serve = async (): Promise<void> =>
    left?.serve().catch((error: Error) => log(`cannot serve: ${error.message}`));

  function cancel(): Record<string, never> {
    if (!helper) throw yadoError('nothingToCancel', { computer: name });
    helper.cancel();
    return {};
  }

  const control = new ControlServer(
    () => name,
    {
      status: () => ({ name, role: 'standby' }),
      describe: async () => ({ capabilities: await capabilities() }),
      prepare,
      cancel: (_, asker) => {
        if (asker !== takingIn) throw yadoError('nothingToCancel', { computer: name });
        return cancel();
      },
      whereIs,
      ended,
      ...lent.handlers,
      diskLook: async request => {
        // Behind its freeze nothing loads drivers any more, and what waits for them would not stand still.
        if (helper || preparing)
          throw yadoError('busy', { computer: name, activity: 'it is taking in an OS' });
        await loadLendable('disk');
        return lookForDisk(request, AbortSignal.timeout(diskLookMs));
      },
      ...deviceHandlers(left, lent, () => {
        marked?.heard();
        // A person who reads that nothing is served here any more may switch this computer off.
        if (!helper && left?.names.join() !== served) idle();
      }),
    },
    () => keyring.server,
  );
  await control.listen(ip, controlPort);
  const api = new ApiServer({
    status: () => ({
      computer: here,
      role: 'standby',
      migration: progress ?? null,
      protocol: protocolVersion,
      version,
      ...(marked && { left: marked.status }),
    }),
    cancel,
    resume: async () => {
      if (!marked) throw yadoError('nothingToResume', { computer: name });
      marked.refuseOld();
      void marked.resume().catch((error: Error) => log(`cannot be started here: ${error.message}`));
      return {};
    },
    ...pairingHandlers(name, ip, keyring, lines => {
      if (!helper) lines ? show(name, lines) : idle();
    }),
    computers: () => [here],
    doctor: async request => {
      if (request.with !== undefined)
        throw yadoError('wrongRole', {
          computer: name,
          role: 'a standby',
          wanted: 'the one that has the OS',
        });
      return { computer: name, role: 'standby', checks: [...inspectAlone(await capabilities()).checks] };
    },
  });
  await api.listen();
  log(`standby ${name} at ${address}`);
  idle();
  // Where somebody may have to type; elsewhere a keyboard's driver would only be one more that an OS puts to sleep.
  const typed: readonly DeviceClass[] =
    (marked && !told) || keyring.keys.owners.length === 0 ? ['input'] : [];
  for (const each of [...typed, ...(left?.driversNeeded ?? [])])
    await loadLendable(each).catch((error: Error) => log(error.message));
  if (marked) await marked.open();
  else await serve();
  await agentImageHash().catch((error: Error) => log(`the agent image cannot be read: ${error.message}`));
}

/** Where all of it can be read; nowhere when it cannot: then everything is sent. */
function ownMemory(ram: readonly RamRange[]): readonly MemoryPiece[] {
  try {
    return readMemoryPieces(ram);
  } catch (error) {
    log(`cannot look for the OS in memory: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

const mebi = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
