// Checks of what is around the processors: clocks, firmware, IOMMU, watchdogs. Pure.

import type { Capabilities } from '../capabilities.ts';
import { formatMs } from '../quantities.ts';
import { isSameFirmware, isSameModel } from '../same-firmware.ts';
import { finding, listed, ofOs, type PreflightCheck } from './check.ts';

/** NTP can make good what a clock goes wrong by this much (kernel/time/ntp.c, MAXFREQ), parts per million. */
const ntpPpm = 500;
/** More than any measurement at the start is wrong by: every time-out would be. */
const farPpm = 100_000;
/** Between asking one computer and the other, and whole seconds on both sides. */
const clockSeconds = 5;

/** How much faster the OS's clock will go at B, parts per million; null when it does not go by the TSC or nobody knows. */
function clockDrift({ clock: a }: Capabilities, { clock: b }: Capabilities): number | null {
  if (a.source !== 'tsc' || !a.tscKhz || !b.tscKhz) return null;
  return Math.round((b.tscKhz / a.tscKhz - 1) * 1e6);
}

const driftText = (a: Capabilities, b: Capabilities, ppm: number): string =>
  `The CPU of ${b.name} counts time at ${(b.clock.tscKhz ?? 0) / 1000} MHz, that of ${a.name} at ${(a.clock.tscKhz ?? 0) / 1000}: the OS's clock will go ${Math.abs(ppm / 10_000).toFixed(2)} % too ${ppm > 0 ? 'fast' : 'slow'}.`;

/** Clocks that count alike everywhere, the better one first; the kernel knows where each of them answers. */
const steadyClocks = ['hpet', 'acpi_pm'];

function placeOf(clock: string, computer: Capabilities): number | undefined {
  if (clock === 'acpi_pm') return computer.clock.pmTimerPort ?? undefined;
  return computer.memory.deviceRanges.find(({ name }) => name.startsWith('HPET'))?.startPfn;
}

/** One that answers elsewhere, or not at all, stands still. */
const isSteadyThere = (clock: string, a: Capabilities, b: Capabilities): boolean =>
  a.clock.sources.includes(clock) &&
  placeOf(clock, a) !== undefined &&
  placeOf(clock, a) === placeOf(clock, b);

const goBy = (clock: string): string =>
  `echo ${clock} > /sys/devices/system/clocksource/clocksource0/current_clocksource`;

/** How to let the OS go by one of these, if both computers have it in one place. */
function otherClock(a: Capabilities, b: Capabilities): string | undefined {
  const found = steadyClocks.find(each => isSteadyThere(each, a, b));
  return found === undefined ? undefined : `on ${a.name}: ${goBy(found)}`;
}

/** Whether interrupts that a board carries over wires come where the OS expects them, as far as anybody knows. */
const hasSameWires = ({ firmware: a }: Capabilities, { firmware: b }: Capabilities): boolean =>
  a.model === b.model || a.model === '' || b.model === '';

const modelOf = ({ firmware: { model } }: Capabilities): string => model || 'unknown model';

export const machineChecks: readonly PreflightCheck[] = [
  {
    id: 'clock-rate',
    severity: 'warning',
    title: 'time goes about as fast on both',
    why: 'A kernel measures the time stamp counter (TSC) once, at its start; more than 10 % off, every time-out is wrong.',
    compare: (a, b) => {
      const ppm = clockDrift(a, b);
      return ppm !== null && Math.abs(ppm) > farPpm
        ? finding(
            driftText(a, b, ppm),
            otherClock(a, b) ?? 'choose another computer: there is no other clock that the OS could go by',
          )
        : null;
    },
  },
  {
    id: 'clock-drift',
    severity: 'note',
    title: 'the clock goes on as exactly as NTP can correct it',
    why: 'From 0.05 % on NTP cannot keep the clock right.',
    compare: (a, b) => {
      const ppm = clockDrift(a, b);
      return ppm !== null && Math.abs(ppm) > ntpPpm && Math.abs(ppm) <= farPpm
        ? finding(driftText(a, b, ppm), ['nothing to do', otherClock(a, b) ?? []].flat().join(', or '))
        : null;
    },
  },
  {
    id: 'clock-place',
    severity: 'error',
    title: 'the clock that the OS goes by answers at the target where the OS knows it',
    why: 'Elsewhere nothing answers, or something else: time stands still, and with it every program that waits.',
    compare: (a, b) => {
      const { source, sources } = a.clock;
      if (!steadyClocks.includes(source) || isSteadyThere(source, a, b)) return null;
      const other = ['tsc', ...steadyClocks].find(
        each => each !== source && (each === 'tsc' ? sources.includes(each) : isSteadyThere(each, a, b)),
      );
      return finding(
        `The OS on ${a.name} goes by the clock ${source}, which ${b.name} does not have in the same place: time would stand still there.`,
        other === undefined ? 'choose another computer' : `on ${a.name}: ${goBy(other)}`,
      );
    },
  },
  {
    id: 'clock-watch',
    severity: 'warning',
    title: 'the clock by which the kernel watches its own answers at the target',
    why: 'A kernel that does not trust the time stamp counter compares it with that one; when it stands still, the counter is taken for wrong, and the dead one for right.',
    compare: (a, b) => {
      const { source, sources } = a.clock;
      const watch = steadyClocks.find(each => sources.includes(each));
      if (source !== 'tsc' || a.cpu.flags.includes('tsc_adjust')) return null; // tsc_disable_clocksource_watchdog
      if (watch === undefined || isSteadyThere(watch, a, b)) return null;
      return finding(
        `The OS on ${a.name} compares its time with the clock ${watch}, which ${b.name} does not have in the same place: it would go by that one there, and time would stand still.`,
        'start the OS with tsc=reliable',
      );
    },
  },
  {
    id: 'clock-source',
    severity: 'note',
    title: 'the target has the clock that the OS goes by',
    why: 'The kernel looks for another one when its own stands still.',
    compare: ({ clock: a, name }, { clock: b, name: there }) =>
      a.source !== 'tsc' || b.sources.length === 0 || b.sources.includes(a.source)
        ? null
        : finding(
            `The OS on ${name} goes by the clock ${a.source}; ${there} offers ${listed(b.sources)}.`,
            `nothing to do; if time stands still there: yado migrate ${name}`,
          ),
  },
  {
    id: 'rtc',
    severity: 'note',
    title: 'both battery-backed clocks show the same time',
    why: 'The OS takes the length of its journey from the two battery-backed clocks: the time since its start jumps, though not its date, which the agent sets.',
    compare: (a, b) => {
      const { rtcSeconds: here, systemSeconds } = a.clock;
      const { rtcSeconds: there } = b.clock;
      // The time of a standby says nothing: it has taken it from this very clock at its start.
      if (here === null || there === null || Math.abs(there - here) <= clockSeconds) return null;
      const isHereWrong = Math.abs(here - systemSeconds) > clockSeconds;
      return finding(
        `The battery-backed clock of ${b.name} is ${formatMs(Math.abs(there - here) * 1000)} ${there > here ? 'ahead of' : 'behind'} that of ${a.name}.`,
        isHereWrong
          ? `on ${a.name}: hwclock --systohc --utc (package util-linux-extra)`
          : `set it to UTC in the setup of ${b.name}`,
      );
    },
  },
  {
    id: 'model',
    severity: 'note',
    title: 'both are the same model with the same firmware',
    why: "The OS goes on with the firmware's tables (ACPI) of the computer it was started on: battery, lid, fans and sleep are not known elsewhere.",
    compare: (a, b) =>
      isSameModel(a, b)
        ? null
        : finding(
            `The OS was started on ${modelOf(a)} (${a.firmware.kind} ${a.firmware.version}), ${b.name} is ${modelOf(b)} (${b.firmware.kind} ${b.firmware.version}): battery, lid and fans may not be known there.`,
            'nothing to do',
          ),
  },
  {
    id: 'acpi-tables',
    severity: 'note',
    title: "the OS has its own copy of the firmware's tables, or finds them at the target",
    why: "Without `acpi=copy_dsdt` the kernel reads the tables in the target's memory, where others lie.",
    compare: (a, b) =>
      !a.os || a.os.hasCopiedDsdt || isSameFirmware(a, b)
        ? null
        : finding(
            `The OS reads the firmware's tables in the memory of ${a.name}, where ${b.name} has others.`,
            'start the OS with acpi=copy_dsdt',
          ),
  },
  {
    id: 'firmware-calls',
    severity: 'warning',
    title: 'the OS calls no firmware that the target does not have',
    why: 'Calls of UEFI go to addresses of the computer the OS was started on.',
    compare: (a, b) =>
      !a.firmware.isCalled || isSameFirmware(a, b)
        ? null
        : finding(
            `The OS calls the UEFI firmware of ${modelOf(a)}; on ${b.name} such a call ends in other memory.`,
            'start the OS with efi=noruntime',
          ),
  },
  {
    id: 'iommu',
    severity: 'warning',
    title: 'the OS uses no IOMMU that the target does not have',
    why: 'The kernel sets it up again where the first computer had it; devices then write to the wrong memory.',
    compare: (a, b) =>
      !a.firmware.hasIommu || isSameModel(a, b)
        ? null
        : finding(
            `The OS uses the IOMMU of ${modelOf(a)}, which ${b.name} may not have in the same place.`,
            'start the OS with intel_iommu=off intremap=off (Intel) or amd_iommu=off (AMD)',
          ),
  },
  {
    id: 'error-reports',
    severity: 'warning',
    title: 'the OS reads no error reports of a firmware that the target does not have',
    why: 'The kernel looks for them in memory of the first computer (APEI, the table HEST), and writes there that it has read them.',
    compare: (a, b) =>
      !a.firmware.hasErrorReports || isSameFirmware(a, b)
        ? null
        : finding(
            `The OS reads error reports where the firmware of ${modelOf(a)} leaves them; on ${b.name} that is other memory.`,
            'start the OS with hest_disable',
          ),
  },
  {
    id: 'interrupts',
    severity: 'error',
    title: "the interrupts of the target's network card reach the OS",
    why: 'Old cards raise interrupts over wires (INTx) that each board lays differently; the OS knows those of the board it was started on. Cards that send messages (MSI) need none.',
    compare: (a, b) => {
      const card = b.pci.find(each => each.address === b.nic?.pciAddress);
      if (!card || card.sendsMessages || hasSameWires(a, b)) return null;
      return finding(
        `The network card of ${b.name} (${card.driver ?? card.address}) raises interrupts over wires of its board, and the OS knows those of ${modelOf(a)} only: it would be cut off.`,
        `put a card into ${b.name} that sends its interrupts as messages (MSI), as most since 2005 do, or choose another computer`,
      );
    },
  },
  {
    id: 'mtrr',
    severity: 'note',
    title: 'both cache the same memory (MTRR)',
    why: "The kernel sets the first computer's ranges on the target: memory may become slow there.",
    compare: ({ firmware: a, name }, { firmware: b, name: there }) =>
      a.mtrrs.length === 0 || b.mtrrs.length === 0 || a.mtrrs.join('\n') === b.mtrrs.join('\n')
        ? null
        : finding(
            `${name} and ${there} differ in which memory is cached (/proc/mtrr).`,
            `nothing to do; if ${there} is slow afterwards, that is why`,
          ),
  },
  {
    id: 'watchdog',
    severity: 'warning',
    on: 'source',
    title: 'no hardware watchdog is armed',
    why: 'Nobody feeds it while the OS stands still and once it has left: it restarts the computer that serves the disk.',
    inspect: ofOs(({ watchdogs }, { name }) =>
      watchdogs.length === 0
        ? null
        : finding(
            `A watchdog of ${name} is armed (${listed(watchdogs)}); it would restart ${name} once the OS has left, and with it the devices that stay.`,
            'set RuntimeWatchdogSec=off in /etc/systemd/system.conf, then: systemctl daemon-reexec',
          ),
    ),
  },
];
