// `npm run bench [-- NAME… --write]`: measures the built program beside others, prints Markdown tables, and with --write
// puts them into docs/benchmarks.md.
import type { Bench } from './bench.ts';
import { engineBench } from './engine.ts';
import { gitBench } from './git.ts';
import { measure, type Row } from './measure.ts';
import { remoteBench } from './remote.ts';
import { renderSection, renderTable, writeSection } from './report.ts';
import { startBench } from './start.ts';
import { storeBench } from './store.ts';
import { traceBench } from './trace.ts';
import { verifyBench } from './verify.ts';
import { makeWorkFolder } from './work-folder.ts';

/** Makes its own section of the page, without the heading. */
interface OwnShape {
  run(): Promise<string>;
}

const BENCHES = [startBench, gitBench, storeBench, engineBench, remoteBench, traceBench, verifyBench];

/** Benches with a section of a shape of their own. */
const OWN_SHAPE = { language: () => import('./language.ts'), worker: () => import('./worker.ts') } as const;

// An exit, so that servers that were started end too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const known = [...BENCHES.map(({ name }) => name), ...Object.keys(OWN_SHAPE)];
const args = process.argv.slice(2);
const names = args.filter((arg) => arg !== '--write');
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(
    `unknown: ${unknown.join(', ')}\nusage: npm run bench [-- NAME… --write]\nbenches: ${known.join(', ')}`,
  );
  process.exitCode = 2;
} else {
  for (const name of known.filter((one) => names.length === 0 || names.includes(one))) {
    const bench = BENCHES.find((one) => one.name === name);
    if (bench === undefined) report(name, await runOwn(name as keyof typeof OWN_SHAPE));
    else await run(bench);
  }
}

function report(name: string, section: string): void {
  console.log(section);
  if (args.includes('--write')) writeSection(name, section);
}

async function run(bench: Bench): Promise<void> {
  const work = makeWorkFolder();
  process.once('exit', work.remove);
  try {
    const opened = await bench.open(work);
    const rows: Row[] = [];
    try {
      for (const scenario of opened.scenarios) {
        rows.push(...(await measure(scenario, work, console.error)));
        if (scenario.deletes !== undefined) work.empty();
      }
    } finally {
      await opened.close();
    }
    if (rows.some(({ seconds }) => typeof seconds.get('dag') === 'string')) process.exitCode = 1;
    // Before the data is deleted, which takes minutes.
    report(bench.name, renderSection(bench.name, bench.about, bench.peers, renderTable(rows)));
  } finally {
    process.off('exit', work.remove);
    work.remove();
  }
}

async function runOwn(name: keyof typeof OWN_SHAPE): Promise<string> {
  const { run: measureOwn }: OwnShape = await OWN_SHAPE[name]();
  return `## ${name}\n\n${await measureOwn()}`;
}
