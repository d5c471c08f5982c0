// rtnetlink against the running kernel, in a network namespace of this test's own (gone when the test ends).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { C } from '#linux/abi.ts';
import { unshare } from '#linux/ffi.ts';
import { resolveFamily } from '#linux/genetlink.ts';
import { LinkClient } from '#linux/link-client.ts';
import { NetlinkSocket } from '#linux/netlink-socket.ts';

const skip = process.getuid?.() !== 0 ? 'needs root' : false;

test('a bridge with port, addresses and routes is made, seen, changed and removed', { skip }, () => {
  unshare(C.CLONE_NEWNET);
  using client = new LinkClient();
  assert.deepEqual(
    client.links().filter(link => link.up),
    [],
    'a fresh namespace',
  );

  client.createBridge('os0', '52:54:00:00:00:0a');
  execFileSync('ip', ['link', 'add', 'port0', 'type', 'veth', 'peer', 'name', 'far0']);
  const bridge = client.link('os0');
  const port = client.link('port0');
  assert.ok(bridge && port);
  assert.equal(bridge.kind, 'bridge');
  assert.equal(bridge.mac, '52:54:00:00:00:0a');

  client.changeLink(port.index, { master: bridge.index, up: true, mac: '52:54:00:00:00:0b', mtu: 1400 });
  client.changeLink(bridge.index, { up: true });
  const attached = client.link('port0');
  assert.equal(attached?.master, bridge.index);
  assert.equal(attached.mac, '52:54:00:00:00:0b');
  assert.equal(attached.mtu, 1400);
  assert.equal(attached.up, true);
  assert.equal(attached.carrier, false);
  assert.equal(client.link('os0')?.mac, '52:54:00:00:00:0a', 'the bridge keeps its MAC');

  const v4 = {
    index: bridge.index,
    ip: '10.9.0.2',
    prefixLength: 24,
    flags: C.IFA_F_NOPREFIXROUTE,
    scope: 0,
  };
  const v6 = { index: bridge.index, ip: 'fd00::2', prefixLength: 64, flags: C.IFA_F_NODAD, scope: 0 };
  client.addAddress({ ...v4, broadcast: '10.9.0.255' });
  client.addAddress(v6);
  client.addAddress(v6); // once more: no error
  const found = client.addresses().find(address => address.ip === '10.9.0.2');
  assert.deepEqual(found, {
    ...v4,
    flags: C.IFA_F_NOPREFIXROUTE | C.IFA_F_PERMANENT,
    broadcast: '10.9.0.255',
  });
  assert.ok(client.addresses().some(address => address.ip === 'fd00::2' && address.prefixLength === 64));

  const common = { table: C.RT_TABLE_MAIN, protocol: C.RTPROT_STATIC, type: C.RTN_UNICAST } as const;
  const net = {
    ...common,
    family: 4,
    destination: '10.9.0.0',
    prefixLength: 24,
    index: bridge.index,
    scope: C.RT_SCOPE_LINK,
  } as const;
  const viaGateway = {
    ...common,
    family: 4,
    prefixLength: 0,
    gateway: '10.9.0.1',
    index: bridge.index,
    scope: 0,
    metric: 50,
  } as const;
  client.addRoute(net);
  client.addRoute(viaGateway);
  const route = client.routes().find(each => each.family === 4 && each.prefixLength === 0);
  assert.equal(route?.gateway, '10.9.0.1');
  assert.equal(route.metric, 50);
  assert.match(
    execFileSync('ip', ['-4', 'route'], { encoding: 'utf8' }),
    /^default via 10\.9\.0\.1 dev os0 proto static metric 50.*\n10\.9\.0\.0\/24 dev os0 proto static scope link/,
  );
  // What was dumped can be put back as it is: that is how addresses and routes move between interfaces.
  client.deleteRoute(route);
  assert.equal(
    client.routes().some(each => each.family === 4 && each.prefixLength === 0),
    false,
  );
  client.addRoute(route);
  client.deleteAddress(v4);
  assert.equal(
    client.addresses().some(address => address.ip === '10.9.0.2'),
    false,
  );

  client.changeLink(port.index, { master: 0, up: false });
  assert.equal(client.link('port0')?.master, undefined);
  client.changeLink(port.index, { name: 'renamed' });
  assert.ok(client.link('renamed'));
  client.deleteLink(bridge.index);
  assert.equal(client.link('os0'), undefined);
});

test('a refusal says what was tried and the errno', { skip }, () => {
  using client = new LinkClient();
  assert.throws(() => client.changeLink(9999, { up: true }), { code: 'ENODEV', call: 'change link 9999' });
  const lo = client.link('lo');
  assert.ok(lo);
  assert.throws(() => client.createBridge('lo', '52:54:00:00:00:0a'), { code: 'EEXIST' });
  assert.throws(
    () => client.addAddress({ index: lo.index, ip: '10.0.0.1', prefixLength: 33, flags: 0, scope: 0 }),
    { name: 'FormatError' },
  );
});

test('generic netlink families are found by name', () => {
  using socket = new NetlinkSocket(C.NETLINK_GENERIC);
  assert.equal(resolveFamily(socket, 'nlctrl'), C.GENL_ID_CTRL);
  assert.throws(() => resolveFamily(socket, 'no-such-thing'), { code: 'ENOENT' });
});
