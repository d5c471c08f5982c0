import { startLab } from './lab.ts';
import { product } from './product.ts';

const p = product(console.log);
for (const [scenario, layout] of [
  ['plain', 'partition'],
  ['alone', 'lvm'],
] as const) {
  const t = Date.now();
  const lab = await startLab({ ...p, scenario, layout, boot: false, id: 'debpre', say: console.log });
  await lab.down();
  console.log(layout, Date.now() - t);
}
