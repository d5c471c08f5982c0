// Back to the real card's own framebuffer: its driver can draw text without us. Needed where nobody shows the stub: on
// the computer an OS has left, and when the agent ends in good order.
import { existsSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { C } from '#linux/abi.ts';
import { type Framebuffer, listFramebuffers } from '#linux/display.ts';
import { ioctl, open } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { listPciDevices } from '#linux/pci.ts';
import { waitUntil } from '#managers/wait.ts';
import { type Plan, writeFileStep } from '#wire/plan.ts';
import { isDisplay } from './card.ts';
import { putConsoles } from './stub.ts';

const emulationPath = '/sys/module/drm_kms_helper/parameters/fbdev_emulation';

/**
 * Whether cards found from now on get a framebuffer of their own. While we show the stub they had better not: a new
 * primary card takes all consoles to itself, and its size would cut their text. Only for the time of a scan, and never
 * while a card goes: one that has a framebuffer would leave it in the kernel's list (drm_fb_helper_fini of 6.1).
 */
export function giveCardsFramebuffers(give: boolean): void {
  if (existsSync(emulationPath)) writeFileSync(emulationPath, give ? 'Y' : 'N');
}

/** As `giveCardsFramebuffers(false)`, in a plan. */
export function noFramebuffersSteps(): Plan {
  if (!existsSync(emulationPath)) return [];
  return [writeFileStep('let the display card have no framebuffer', emulationPath, 'N', { mayFail: true })];
}

/**
 * Puts all consoles onto the real card. A card that was found while it was to have no framebuffer is given to its
 * driver anew. Nobody may be the card's master. Returns false where there is no card, or none that can do it.
 */
export async function consolesToCard(signal: AbortSignal): Promise<boolean> {
  giveCardsFramebuffers(true);
  let card = ownFramebuffer();
  if (!card) {
    const bound = listPciDevices().find(each => isDisplay(each) && each.driver !== undefined);
    if (!bound) return false;
    const driver = `/sys/bus/pci/drivers/${bound.driver}`;
    await writeFile(`${driver}/unbind`, bound.address);
    await writeFile(`${driver}/bind`, bound.address);
    card = await waitUntil('a framebuffer of the display card', ownFramebuffer, {
      timeoutMs: 10_000,
      everyMs: 50,
      signal,
    });
  }
  using framebuffer = new OwnedFd(open(`/dev/fb${card.index}`, C.O_RDWR));
  putConsoles(framebuffer.fd, card.index);
  return true;
}

/** A console that a program had in graphics (X) shows text again; only where that program never runs again. */
export function consoleToText(): void {
  using console = new OwnedFd(open('/dev/tty0', C.O_RDWR));
  ioctl(console.fd, C.KDSETMODE, C.KD_TEXT, 'text on the console');
}

function ownFramebuffer(): Framebuffer | undefined {
  return listFramebuffers().find(each => each.pciAddress !== undefined);
}
