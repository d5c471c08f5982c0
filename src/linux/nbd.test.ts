// NBD netlink messages, as drivers/block/nbd.c takes them apart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C } from '#linux/abi.ts';
import { genericAttributes } from '#linux/genetlink.ts';
import { decodeNbdStatus, encodeNbdConnect, encodeNbdDisconnect, encodeNbdReconfigure } from '#linux/nbd.ts';
import {
  encodeAttributes,
  listAttributes,
  numberOf,
  parseAttributes,
  parseMessages,
  textOf,
} from '#linux/netlink.ts';

const connection = {
  socketFds: [7, 9],
  timeoutSeconds: 3,
  deadConnectionTimeoutSeconds: 86400,
  backendIdentifier: 'disk@a',
};

test('connect names sockets, size, flags and times', () => {
  const bytes = encodeNbdConnect(33, {
    ...connection,
    index: 2,
    sizeBytes: 2 ** 40,
    blockSizeBytes: 4096,
    serverFlags: 0x0d,
  });
  const [message] = parseMessages(bytes);
  assert.ok(message);
  assert.equal(message.type, 33);
  assert.deepEqual([...message.payload.subarray(0, 4)], [C.NBD_CMD_CONNECT, 1, 0, 0]);
  const found = genericAttributes(message.payload);
  assert.equal(numberOf(found.get(C.NBD_ATTR_INDEX)), 2);
  assert.equal(numberOf(found.get(C.NBD_ATTR_SIZE_BYTES)), 2 ** 40);
  assert.equal(numberOf(found.get(C.NBD_ATTR_SERVER_FLAGS)), 0x0d);
  assert.equal(numberOf(found.get(C.NBD_ATTR_TIMEOUT)), 3);
  assert.equal(numberOf(found.get(C.NBD_ATTR_DEAD_CONN_TIMEOUT)), 86400);
  assert.equal(textOf(found.get(C.NBD_ATTR_BACKEND_IDENTIFIER)), 'disk@a');
  const sockets = listAttributes(found.get(C.NBD_ATTR_SOCKETS) ?? Buffer.alloc(0));
  assert.deepEqual(
    sockets.map(([type, value]) => [type, numberOf(parseAttributes(value).get(C.NBD_SOCK_FD))]),
    [
      [C.NBD_SOCK_ITEM, 7],
      [C.NBD_SOCK_ITEM, 9],
    ],
  );
});

test('reconfigure and disconnect name the device', () => {
  for (const bytes of [encodeNbdReconfigure(33, 5, connection), encodeNbdDisconnect(33, 5)]) {
    const [message] = parseMessages(bytes);
    assert.equal(numberOf(genericAttributes(message?.payload ?? Buffer.alloc(0)).get(C.NBD_ATTR_INDEX)), 5);
  }
});

test('status lists devices', () => {
  const item = (index: number, connected: number) =>
    [
      C.NBD_DEVICE_ITEM,
      [
        [C.NBD_DEVICE_INDEX, index],
        [C.NBD_DEVICE_CONNECTED, Uint8Array.of(connected)],
      ],
    ] as const;
  const list = encodeAttributes([[C.NBD_ATTR_DEVICE_LIST, [item(0, 1), item(1, 0)]]]);
  const status = decodeNbdStatus(Buffer.concat([Uint8Array.of(C.NBD_CMD_STATUS, 1, 0, 0), list]));
  assert.deepEqual(
    [...status],
    [
      [0, true],
      [1, false],
    ],
  );
});
