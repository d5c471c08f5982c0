// A network card that a plan finds: its kind or its place differs between the two computers, so it was taken away before
// the image and the kernel finds it, or the other computer's, by a scan. What index and name it gets is not known when the
// plan is made; the name of the card before it is given to it, for the OS's own configuration goes by that name.

import type { Link } from '#linux/rtnetlink.ts';
import { encodeLinkChange } from '#linux/rtnetlink.ts';
import {
  findCardStep,
  foundCard,
  netlinkCardStep,
  type Plan,
  type PlanStep,
  waitTextStep,
} from '#wire/plan.ts';
import { scanSteps } from '../pci-steps.ts';

type Port = Pick<Link, 'index' | 'name'>;
type Options = { readonly mayFail: boolean };

/** A driver that finds its card starts its firmware and reads its settings. */
const probeMs = 15_000;
/** Both ends agree on a speed: 2 to 4 s on copper. Without a link what is announced is heard by nobody. */
const linkMs = 6000;

/** The card that will be found, called as the one before it. */
export const foundPort = ({ name }: Port): Port => ({ index: foundCard, name });

export const isFound = ({ index }: Port): boolean => index === foundCard;

/** One message about the card that was found. */
export const aboutCard = (label: string, message: Uint8Array, options?: Options): PlanStep =>
  netlinkCardStep(label, message, options);

/** Finds the card of this PCI function and calls it as the one before. udev leaves a name alone that was given to a card. */
export function findAnew(pciAddress: string, { name }: Port, options?: Options): Plan {
  return [
    ...scanSteps([pciAddress], options),
    findCardStep(`find the network card ${pciAddress}`, pciAddress, probeMs, options),
    netlinkCardStep(`call the card ${name}`, encodeLinkChange(foundCard, { name }), options),
  ];
}

/** Waits until the card has a link; without one the plan goes on all the same. */
export const waitForLink = ({ name }: Port): PlanStep =>
  waitTextStep(`wait for a link of ${name}`, `/sys/class/net/${name}/carrier`, '1', linkMs, {
    mayFail: true,
  });
