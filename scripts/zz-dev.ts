// biome-ignore-all lint: not committed
// Not committed. Interactive lab: DEV_NAME=x DEV_SCENARIO=paper node scripts/zz-dev.ts ; commands over /tmp/dev/x.ctl (see /tmp/dev/c)
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { startLab } from '#lab/lab.ts';
import { buildAgentImage } from '../packaging/agent-image.ts';
import { buildDeb } from '../packaging/deb.ts';
import { buildStandbyImage } from '../standby/image.ts';

const name = process.env.DEV_NAME ?? 'dev';
const image = buildAgentImage();
const deb = buildDeb(image);
const standby = buildStandbyImage(image);
const t0 = Date.now();
const say = (t: string) => console.log(((Date.now() - t0) / 1000).toFixed(1), t);
const include = (process.env.DEV_INCLUDE ?? '').split(',').filter(Boolean);
const lab = await startLab({
  deb,
  standby,
  say,
  id: `dev-${name}`,
  keepRunning: true,
  include,
  scenario: process.env.DEV_SCENARIO ?? 'paper',
});
say('up');
const ctl = `/tmp/dev/${name}.ctl`;
rmSync(ctl, { force: true });
createServer({ allowHalfOpen: true }, s => {
  let buf = '';
  s.on('error', () => {});
  s.on('data', async d => {
    buf += d;
    if (!buf.endsWith('\n')) return;
    const line = buf.trim();
    buf = '';
    const [c, what = '', ...more] = line.split(' ');
    const rest = more.join(' ');
    try {
      if (c === 'down') {
        await lab.down({ keepFiles: true });
        s.end('down\n');
        process.exit(0);
      }
      const comp = lab.computer(c!);
      const done = (t = 'ok'): void => void s.end(`${t}\n`);
      if (what === 'SHOT') return (await comp.screenshot(rest), done());
      if (what === 'HMP') return done(await comp.monitor(rest));
      if (what === 'CUT') return (await comp.cut(), done());
      if (what === 'HEAL') return (await comp.heal(), done());
      if (what === 'KILL') return (await comp.kill(), done());
      if (what === 'BOOT') return (await comp.boot(), await comp.ready(), done());
      if (what === 'KEY') return (await comp.key(...more), done());
      if (what === 'TYPE') return (await comp.type(rest), done());
      if (what === 'SYSRQ') return (await comp.sysrq(rest), done());
      if (what === 'PUT')
        return (await comp.put((await import('node:fs')).readFileSync(more[0]!), more[1]!, 0o755), done());
      const r = await comp.exec([what, ...more].join(' '), { timeoutMs: 300000 });
      s.end(`rc ${r.code}\n${r.output}\n`);
    } catch (e) {
      s.end(`ERR ${e}\n`);
    }
  });
}).listen(ctl);
say('READY');
