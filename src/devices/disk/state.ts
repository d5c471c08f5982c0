// The items of a disk in the device status table: size, what lies beneath the stub, whether requests wait.
import type { StatusItem } from '#core/device-status-table.ts';
import { DmControl } from '#linux/dm-control.ts';
import { rootStub } from './stub.ts';

export function diskItems(sizeBytes: number, name = rootStub): StatusItem[] {
  using dm = new DmControl();
  const table = dm.table(name)[0];
  return [
    { item: 'size', state: `${(sizeBytes / 2 ** 30).toFixed(1)} GiB` },
    { item: 'table', state: table ? `${table.type} ${table.parameters}` : 'none' },
    { item: 'requests', state: dm.device(name).suspended ? 'waiting' : 'flowing' },
  ];
}
