// The display of an OS that has no stub, by plug and play: the source's card is taken away while the OS is frozen, the
// target's card is found by the OS's own driver after the thaw, and the console goes on there.
import { writeFileSync } from 'node:fs';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { listDrmCards, listFramebuffers, listVtConsoles, vtconsoleBindPath } from '#linux/display.ts';
import { waitUntil } from '#managers/wait.ts';
import { writeFileStep } from '#wire/plan.ts';
import { type Arrival, type Device, type DevicePlans, type Move, rememberedType } from '../device.ts';
import { cardName, findCard } from './card.ts';
import { coloursOf } from './state.ts';

export class PlugAndPlayDisplay implements Device {
  readonly id = 'display0';
  readonly #osType: string;

  constructor(remembered?: unknown) {
    this.#osType = rememberedType(remembered) ?? cardName(findCard());
  }

  memory(): object {
    return { typeName: this.#osType };
  }

  describe(): DeviceStatusRow {
    const card = findCard();
    const actualType = cardName(card);
    const framebuffer =
      listFramebuffers().find(each => each.pciAddress === card?.address) ?? listFramebuffers()[0];
    return {
      device: this.id,
      class: 'display',
      osType: this.#osType,
      actualType,
      way: !card ? 'lost' : actualType === this.#osType ? 'direct' : 'converted',
      items: [
        { item: 'stub', state: 'none: the module vfb is not loaded; programs see the card itself' },
        {
          item: 'video mode',
          state: framebuffer
            ? `${framebuffer.width}x${framebuffer.height}, ${coloursOf(framebuffer.bitsPerPixel)}`
            : 'text',
        },
        {
          item: 'console',
          state:
            listVtConsoles()
              .filter(each => each.bound)
              .map(each => each.name)
              .join(', ') || 'none',
        },
      ],
    };
  }

  pciAddress(): string | undefined {
    return findCard()?.address;
  }

  plans(move: Move): DevicePlans {
    const address = this.pciAddress();
    if (address === undefined || !move.removed.includes(address)) return {};
    // Only a console that hangs on the card must let go of it; the dummy console takes over.
    const consoles = listVtConsoles().filter(each => each.bound && each.name.includes('frame buffer'));
    return {
      leave: consoles.map(each =>
        writeFileStep('take the console off the card', vtconsoleBindPath(each.index), '0'),
      ),
    };
  }

  leaveBehind(): undefined {
    return undefined;
  }

  async restore({ signal }: Arrival): Promise<void> {
    const card = findCard();
    if (!card) return;
    if (card.driver === undefined) return; // the OS has no driver; `yado devices` says so
    await waitUntil(
      `a screen on ${cardName(card)}`,
      () => listDrmCards().find(each => each.pciAddress === card.address),
      { timeoutMs: 10_000, everyMs: 20, signal },
    );
    for (const each of listVtConsoles()) {
      if (!each.bound && each.name.includes('frame buffer'))
        writeFileSync(vtconsoleBindPath(each.index), '1');
    }
  }
}
