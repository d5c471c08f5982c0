// The display card of this computer, by PCI and by DRM: what it is called in the tables, where its driver is found.
import { type DrmCard, listDrmCards } from '#linux/display.ts';
import { listPciDevices, type PciDevice } from '#linux/pci.ts';

export const isDisplay = (each: PciDevice): boolean => each.class >>> 16 === 0x03;

export function findCard(): PciDevice | undefined {
  return listPciDevices().find(isDisplay);
}

/** "VGA bochs-drm 1234:1111", or "none". */
export function cardName(card: PciDevice | undefined): string {
  return card ? typeName('VGA', card.driver, card.vendor, card.device) : 'none';
}

/** A card whose driver can set modes. */
export interface KmsCard {
  /** /dev/dri/card0 */
  readonly path: string;
  readonly typeName: string;
  readonly pciAddress?: string;
  /** How often a mode is set until the screen shows it; else once. */
  readonly settings?: number;
}

/**
 * qxl of Linux 6.1 shows a dumb buffer through a surface as large as the modes that were set *before*: with the first one
 * that is nothing, and the screen stays black (qxl_calc_dumb_shadow runs before qxl_crtc_update_monitors_config).
 */
const settingsOf: Readonly<Record<string, number>> = { qxl: 2 };

/** Cards with a plugged screen first. */
export function listKmsCards(): KmsCard[] {
  const plugged = (card: DrmCard): number => (card.connectors.some(each => each.connected) ? 0 : 1);
  return listDrmCards()
    .filter(card => card.connectors.length > 0)
    .toSorted((a, b) => plugged(a) - plugged(b))
    .map(({ index, driver, vendor, device, pciAddress }) => ({
      path: `/dev/dri/card${index}`,
      typeName: typeName(pciAddress === undefined ? 'display' : 'VGA', driver, vendor, device),
      ...(pciAddress !== undefined && { pciAddress }),
      settings: settingsOf[driver ?? ''] ?? 1,
    }));
}

function typeName(kind: string, driver: string | undefined, vendor: number, device: number): string {
  const hex = (id: number): string => id.toString(16).padStart(4, '0');
  return `${kind} ${driver ?? 'without driver'} ${hex(vendor)}:${hex(device)}`;
}
