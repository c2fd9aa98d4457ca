import { readFile, writeFile } from 'node:fs/promises';
import type { WorkerContext } from 'dag/worker';

const STARTS = ['transfer', 'scratch'];
const SHOTS = [1, 3, 10];

/** Writes a table: how many of the new digits each network gets right. */
export default async function report(ctx: WorkerContext): Promise<void> {
  const read = async (name: string) => {
    const { accuracy } = JSON.parse(await readFile(ctx.dep(`metrics/${name}.json`), 'utf8')) as { accuracy: number };
    return `${(accuracy * 100).toFixed(1)} %`;
  };
  const lines = ['| examples of each | on top of 0 to 4 | from nothing |', '| ---: | ---: | ---: |'];
  for (const shots of SHOTS) {
    const [transfer, scratch] = await Promise.all(STARTS.map((start) => read(`${start}-${shots}`)));
    lines.push(`| ${shots} | ${transfer} | ${scratch} |`);
  }
  lines.push('', `The network that was trained on 0 to 4 gets ${await read('base')} of those right.`);
  await writeFile(ctx.out('report.md'), `${lines.join('\n')}\n`);
}
