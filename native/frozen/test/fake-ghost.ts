// Stands in for the ghost, on file descriptor 3 as that one: keeps a grant in the file `heard`, and writes what it would
// write on the disk into the file `disk-mark`. When the helper has died, only a grant keeps it.
import { appendFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { encodeFrame } from '#wire/frame.ts';
import { frameHeaderBytes, frameTypes } from '#wire/frames.ts';
import { waitForLog } from './helpers.ts';

const helper = 3;
/** As long as a test may last. */
const keptMs = 20_000;

function take(length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const n = readSync(helper, bytes, at, length - at, null);
    if (n === 0) return undefined;
    at += n;
  }
  return bytes;
}

/** As where the disk hangs at USB: it is found by threads that stand still until the image is given up. */
async function threadsGoOn(): Promise<void> {
  writeSync(helper, encodeFrame(frameTypes.release.number, 0n));
  await waitForLog('.', 'A free');
}

let granted = false;
for (let head = take(frameHeaderBytes); head; head = take(frameHeaderBytes)) {
  const payload = take(head.readUInt32LE(4)) ?? Buffer.alloc(0);
  if (head[3] === frameTypes.mark.number) {
    if (process.argv[2] === 'late') await threadsGoOn();
    writeFileSync('disk-mark', 'leaving');
    writeSync(helper, encodeFrame(frameTypes.marked.number, 0n));
  }
  if (head[3] === frameTypes.granted.number) {
    granted = true;
    appendFileSync('heard', payload);
    if (process.argv[2] !== 'slow') writeFileSync('disk-mark', 'left');
  }
}
if (!granted) process.exit(1);
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, keptMs);
