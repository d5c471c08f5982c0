// Checks of devices that go or stay, and of programs that would not stand still. Pure.

import { functionsThatCannotGo, heldCardsToRemove } from '../device-ways.ts';
import { finding, listed, ofOs, type PreflightCheck } from './check.ts';

const cardsTold = 4;
const programsTold = 4;
/** Also the sockets, or the next program that wants to play something starts it again. */
const stopSound =
  'systemctl --user stop pipewire.socket pipewire-pulse.socket pipewire pipewire-pulse wireplumber';

export const deviceChecks: readonly PreflightCheck[] = [
  {
    id: 'device-drivers',
    severity: 'note',
    title: 'the OS has drivers for all devices of the target',
    why: 'The OS cannot use what it has no driver for.',
    compare: (_a, b, { missingDrivers }) => {
      const others = missingDrivers.filter(each => each.address !== b.nic?.pciAddress);
      return others.length > 0
        ? finding(
            `The OS has no driver for ${others.length} devices of ${b.name}: ${listed(others.map(each => each.address))}.`,
            'nothing to do, unless you need them',
          )
        : null;
    },
  },
  {
    id: 'driver-lasts',
    severity: 'error',
    title: 'every card of the source that has to go can be taken from its driver',
    why: 'A driver that leaves its interrupt behind makes the kernel panic soon after.',
    compare: (a, b) => {
      const cards = functionsThatCannotGo(a, b);
      if (cards.length === 0) return null;
      const drivers = [...new Set(cards.flatMap(({ driver }) => driver ?? []))];
      return finding(
        `On ${a.name} the OS uses the driver ${listed(drivers)} (${listed(cards.map(each => each.address))}), which Linux cannot take away without a panic.`,
        `start the OS with modprobe.blacklist=${drivers.join(',')}; that card shows text only then`,
      );
    },
  },
  {
    id: 'devices-held',
    severity: 'error',
    title: 'no program holds a card of the source that has to go',
    why: 'Its driver waits until the program has closed it, and that stands still then: the OS would hang for ever.',
    compare: (a, b) => {
      const held = heldCardsToRemove(a.os?.heldCards ?? [], a, b);
      if (held.length === 0) return null;
      const cards = held.map(
        each => `${each.device} (${each.pciAddress}) by ${listed(each.programs, programsTold)}`,
      );
      return finding(
        `Programs on ${a.name} have devices open that cannot be taken away from them: ${cards.slice(0, cardsTold).join('; ')}.`,
        held.some(each => each.device.startsWith('/dev/snd/'))
          ? `end these programs; those of a desktop's sound, as the person who is logged in: ${stopSound}`
          : 'end these programs, and start them again after the move',
      );
    },
  },
  {
    id: 'driver-left-out',
    severity: 'note',
    title: 'the OS takes up every driver that it has for cards of the target',
    why: 'One that cannot be taken away again would keep the OS there.',
    compare: (_a, b, { lastingDrivers: left }) =>
      left.length === 0
        ? null
        : finding(
            `On ${b.name} the OS does without the driver ${listed([...new Set(left.map(each => each.module))])} (${listed(left.map(each => each.address))}), which Linux could not take away again.`,
            'nothing to do, unless you need that card',
          ),
  },
  {
    id: 'devices-lost',
    severity: 'note',
    title: 'no device of the OS gets lost',
    why: 'The OS would go on without it until it comes to a computer that has one.',
    compare: (_a, b, { ways }) => {
      const lost = ways.filter(each => each.way === 'lost' && each.class !== 'network');
      if (lost.length === 0) return null;
      return finding(
        `On ${b.name} the OS would have no ${listed(lost.map(each => each.device))}.`,
        'another computer can lend one: yado lend',
      );
    },
  },
  {
    id: 'usbip',
    severity: 'error',
    on: 'source',
    title: 'no USB device of another computer is attached (usbip)',
    why: 'Its driver refuses to stand still.',
    inspect: ofOs(({ usbipDevices }, { name }) =>
      usbipDevices > 0
        ? finding(
            `${name} uses ${usbipDevices} USB devices of other computers (usbip), whose driver does not stand still.`,
            'usbip port, then for each: usbip detach --port=<number>',
          )
        : null,
    ),
  },
  {
    id: 'tasks',
    severity: 'note',
    on: 'source',
    title: 'no program waits in the kernel',
    why: 'One that still does at the freeze does not stand still, and the move is given up.',
    inspect: ofOs(({ waitingTasks }, { name }) =>
      waitingTasks.length > 0
        ? finding(
            `On ${name} these wait in the kernel and may not stand still: ${listed(waitingTasks)}.`,
            `see whether they still do: ps -eo pid,stat,wchan:30,cmd | awk '$2 ~ /^D/'`,
          )
        : null,
    ),
  },
  {
    id: 'fuse',
    severity: 'note',
    on: 'source',
    title: 'no file system in user space (FUSE) owes an answer',
    why: 'Whoever waits for it does not stand still when its server is stopped first.',
    inspect: ofOs(({ fuseRequests }, { name }) =>
      fuseRequests > 0
        ? finding(
            `On ${name} ${fuseRequests} requests to file systems in user space (FUSE) are not answered; who waits for them may not stand still.`,
            'if the move is given up because of it: umount that file system',
          )
        : null,
    ),
  },
];
