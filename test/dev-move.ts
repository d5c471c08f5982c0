import { startLab } from '#lab/lab.ts';
import { buildAgentImage } from '../packaging/agent-image.ts';
import { buildDeb } from '../packaging/deb.ts';
import { buildStandbyImage } from '../standby/image.ts';

const image = buildAgentImage();
const deb = buildDeb(image);
const standby = buildStandbyImage(image);
const t0 = Date.now();
const say = (t: string) => console.log(((Date.now() - t0) / 1000).toFixed(1), t);
const lab = await startLab({ deb, standby, say, id: 'dev', keepRunning: true });
say('up');
const a = lab.computer('a'),
  b = lab.computer('b');
const ex = async (c: typeof a, cmd: string, timeoutMs = 60000) => {
  try {
    const r = await c.exec(cmd, { timeoutMs });
    say(`[${c.name}] ${cmd} -> ${r.code}\n${r.output}`);
    return r;
  } catch (e) {
    say(`[${c.name}] ${cmd} FAILED ${e}`);
    return undefined;
  }
};
const { createServer } = await import('node:net');
const { rmSync } = await import('node:fs');
rmSync('/tmp/dev/ctl', { force: true });
createServer(s => {
  let buf = '';
  s.on('data', async d => {
    buf += d;
    if (!buf.endsWith('\n')) return;
    const line = buf.trim();
    buf = '';
    const [c, ...rest] = line.split(' ');
    try {
      if (c === 'down') {
        await lab.down({ keepFiles: true });
        s.end('down\n');
        process.exit(0);
      }
      const comp = c === 'a' ? a : b;
      if (rest[0] === 'SHOT') {
        await comp.screenshot(rest[1]!);
        s.end('ok\n');
        return;
      }
      if (rest[0] === 'HMP') {
        s.end(await comp.monitor(rest.slice(1).join(' ')));
        return;
      }
      if (rest[0] === 'CUT') {
        await comp.cut();
        s.end('ok\n');
        return;
      }
      if (rest[0] === 'HEAL') {
        await comp.heal();
        s.end('ok\n');
        return;
      }
      if (rest[0] === 'KILL') {
        await comp.kill();
        s.end('ok\n');
        return;
      }
      if (rest[0] === 'BOOT') {
        await comp.boot();
        await comp.ready();
        s.end('ok\n');
        return;
      }
      const r = await comp.exec(rest.join(' '), { timeoutMs: 120000 });
      s.end(`rc ${r.code}\n${r.output}\n`);
    } catch (e) {
      s.end(`ERR ${e}\n`);
    }
  });
}).listen('/tmp/dev/ctl');
for (let i = 0; i < 60; i++) {
  const r = await a.exec('yado status', { timeoutMs: 60000 }).catch(() => ({ code: 1 }));
  if (r.code === 0) break;
}
await ex(a, 'yado devices');
say('READY');
