// Sensors that are not asked where the firmware is another one, and are again where it is theirs.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { readText } from '#linux/sysfs.ts';
import { criticalZones, switchZone } from '#linux/thermal.ts';
import { Heat } from './heat.ts';

const zone = (number: number, mode: string, ...trips: readonly string[]): Tree => ({
  [`sys/class/thermal/thermal_zone${number}/mode`]: `${mode}\n`,
  ...Object.fromEntries(
    trips.map((type, at) => [`sys/class/thermal/thermal_zone${number}/trip_point_${at}_type`, `${type}\n`]),
  ),
});
const tree: Tree = {
  'run/yado/memory': '',
  ...zone(0, 'enabled', 'passive', 'critical'),
  ...zone(1, 'enabled', 'passive', 'passive'),
  ...zone(2, 'disabled', 'critical'),
};

function computer(): { root: FixtureTree; heat: () => Heat; modes: () => (string | undefined)[] } {
  const root = new FixtureTree(tree);
  const sensors = {
    critical: () => criticalZones(root.root),
    switch: (name: string, isOn: boolean) => switchZone(name, isOn, root.root),
  };
  const modes = () =>
    [0, 1, 2].map(each => readText(root.root, `sys/class/thermal/thermal_zone${each}/mode`)?.slice(0, 7));
  return { root, heat: () => new Heat(join(root.root, 'run/yado/heat'), sensors), modes };
}

test('those that may switch a computer off are not asked elsewhere, and are again at home', () => {
  const { root, heat, modes } = computer();
  using _ = root;
  heat().leave(true);
  assert.deepEqual(modes(), ['disable', 'enabled', 'disable']);
  const another = heat(); // an agent that is started anew
  another.arrived(true);
  another.leave(true);
  another.goBack();
  assert.deepEqual(modes(), ['disable', 'enabled', 'disable'], 'on from there nothing changes');
  another.leave(false);
  another.arrived(false);
  assert.deepEqual(modes(), ['enabled', 'enabled', 'disable'], 'what was off before stays off');
});

test('a move that fails leaves them as they were; one to an equal computer changes nothing', () => {
  const { root, heat, modes } = computer();
  using _ = root;
  const it = heat();
  it.leave(true);
  it.goBack();
  assert.deepEqual(modes(), ['enabled', 'enabled', 'disable']);
  it.leave(false);
  it.arrived(false);
  assert.deepEqual(modes(), ['enabled', 'enabled', 'disable']);
});
