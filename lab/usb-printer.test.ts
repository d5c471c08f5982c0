// The USB printer of the lab against the side of QEMU: what it is, what it prints, and what it does without paper.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UsbPrinter } from './usb-printer.ts';
import { encodePacket, type Packet, PacketReader, packet } from './usb-redir.ts';

const dir = mkdtempSync(join(tmpdir(), 'yado-usb-'));
after(() => rmSync(dir, { recursive: true }));

function control(request: number, requestType: number, value: number, length: number): Buffer {
  const body = Buffer.alloc(10);
  body[1] = request;
  body[2] = requestType;
  body.writeUInt16LE(value, 4);
  body.writeUInt16LE(length, 8);
  return body;
}

function bulk(text: string): Buffer {
  const header = Buffer.from([0x01, 0, text.length, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.from(text)]);
}

test('a printer is plugged in, prints, waits for paper, forgets what was cancelled', async () => {
  const path = join(dir, 'usb');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const printer = new UsbPrinter(path);
  const connected = once(server, 'connection') as Promise<[Socket]>;
  await printer.plugIn();
  const [socket] = await connected;
  const reader = new PacketReader();
  const answers: Packet[] = [];
  socket.on('data', (bytes: Buffer) => answers.push(...reader.push(bytes)));
  const next = async (): Promise<Packet> => {
    while (answers.length === 0) await once(socket, 'data');
    return answers.shift()!;
  };
  const ask = async (type: number, body: Buffer): Promise<Packet> => {
    socket.write(encodePacket(type, 7n, body));
    const answer = await next();
    assert.equal(answer.id, 7n);
    return answer;
  };

  socket.write(encodePacket(packet.hello, 0n, Buffer.alloc(68)));
  const told = [await next(), await next(), await next(), await next()];
  assert.deepEqual(
    told.map(each => [each.type, each.body.length]),
    [
      [packet.hello, 68],
      [packet.interfaceInfo, 132],
      [packet.endpointInfo, 160],
      [packet.deviceConnect, 10],
    ],
  );
  const whole = (await ask(packet.control, control(6, 0x80, 0x0200, 255))).body.subarray(10);
  assert.equal(whole.length, whole.readUInt16LE(2));
  const short = (await ask(packet.control, control(6, 0x80, 0x0100, 8))).body;
  assert.equal(short.length, 10 + 8);
  assert.match(String((await ask(packet.control, control(0, 0xa1, 0, 1000))).body), /MDL:Paper Printer/);

  assert.equal((await ask(packet.bulk, bulk('one'))).body[1], 0);
  printer.load(0);
  assert.equal((await ask(packet.control, control(1, 0xa1, 0, 1))).body[10], 0x30);
  socket.write(encodePacket(packet.bulk, 8n, bulk('lost')));
  socket.write(encodePacket(packet.cancel, 8n, Buffer.alloc(0)));
  const cancelled = await next();
  assert.deepEqual([cancelled.id, cancelled.body[1]], [8n, 1]);
  socket.write(encodePacket(packet.bulk, 9n, bulk(' two')));
  await ask(packet.control, control(1, 0xa1, 0, 1)); // it has come by now
  assert.equal(String(printer.paper), 'one');
  printer.load();
  assert.equal((await next()).id, 9n);
  assert.equal(String(printer.paper), 'one two');
  printer.unplug();
  await once(socket, 'close');
  server.close();
});
