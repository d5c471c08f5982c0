// What a standby does with its own cards in the last moment before it becomes the OS: those the OS will not know must not
// answer any more, for the OS may have put the registers of another card where the firmware put theirs. The OS finds
// them in its own PCI scan and gives them another place. A network card that only its driver can stop is stopped. Events of a
// firmware that the OS does not know would interrupt it for ever: it would look for them at the ports of its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Capabilities } from '#core/capabilities.ts';
import { functionsToQuiet, interfaceToTakeDown } from '#core/device-ways.ts';
import type { AcpiEvent } from '#linux/acpi-events.ts';
import { LinkClient } from '#linux/link-client.ts';
import { PCI_QUIET_BYTES, pciConfigPath, pciUnbindPath } from '#linux/pci.ts';
import { encodeLinkChange, type Link } from '#linux/rtnetlink.ts';
import { netlinkStep, type Plan, writeFileStep } from '#wire/plan.ts';

/** Offset and length of the command register (PCI Local Bus Specification, 6.1). */
const command = { offset: 4, bytes: 2 } as const;

export interface Room {
  readonly plan: Plan;
  /** When the restore was refused: the cards answer as before. @throws SystemError when a card does not come up again */
  undo(): void;
}

/** @param events of ACPI that must not come any more */
export function makeRoom(
  mine: Capabilities,
  kept: readonly string[],
  events: readonly AcpiEvent[] = [],
): Room {
  const quiet = functionsToQuiet(mine.pci, kept);
  const before = quiet.map(({ address }) => ({ address, head: readHead(address) }));
  const down = linkOf(interfaceToTakeDown(mine));
  const mayFail = { mayFail: true };
  return {
    plan: [
      ...events.map(({ path, off }) => writeFileStep(`switch off ${basename(path)}`, path, off, mayFail)),
      ...quiet.flatMap(({ address, driver }) => [
        ...(driver === undefined
          ? []
          : [writeFileStep(`take the driver from ${address}`, pciUnbindPath(address), address, mayFail)]),
        writeFileStep(`silence ${address}`, pciConfigPath(address), PCI_QUIET_BYTES, mayFail),
      ]),
      ...(down === undefined
        ? []
        : [netlinkStep(`take down ${down.name}`, encodeLinkChange(down.index, { up: false }), mayFail)]),
    ],
    undo: () => {
      for (const { path, on } of events) {
        try {
          writeFileSync(path, on);
        } catch {
          // One that was switched on by itself meanwhile.
        }
      }
      for (const { address, head } of before) if (head) writeFileSync(pciConfigPath(address), head);
      if (down === undefined) return;
      using links = new LinkClient();
      links.changeLink(down.index, { up: true });
    },
  };
}

function linkOf(name: string | undefined): Link | undefined {
  if (name === undefined) return undefined;
  using links = new LinkClient();
  return links.link(name);
}

function readHead(address: string): Buffer | undefined {
  try {
    return readFileSync(pciConfigPath(address)).subarray(0, command.offset + command.bytes);
  } catch {
    return undefined;
  }
}
