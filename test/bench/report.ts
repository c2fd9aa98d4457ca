import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { median, type Row } from './measure.ts';
import { findPeer, type PeerId } from './peers.ts';

const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

const HEAD = `# Benchmarks

\`npm run bench\` measures, \`npm run bench -- --write\` writes this page, \`npm run bench -- store\` does one section. Wall
clock of the whole command, the median of the rounds (one where it takes over 20 s); programs take turns; the page cache
is warm for all; \`×\` says how many times as long as dag. \`sync\` before each, state and folders fresh. The last columns
are dag's: calls that wait for the disk (fsync and its like), files opened, requests sent and the bytes of their bodies,
the most memory it had; and the machine's load average when the command began.
`;

/** A section of the page: what was measured on what machine, and how it went. */
export function renderSection(name: string, about: string, peers: readonly PeerId[], body: string): string {
  return `## ${name}\n\n${about}\n\n${machineLine(peers)}\n\n${body}`;
}

export function renderTable(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap(({ seconds }) => [...seconds.keys()]))];
  const remote = rows.some((row) => row.sent !== undefined);
  const head = ['', ...names, 'syncs', 'opened', ...(remote ? ['requests', 'sent'] : []), 'memory', 'load'];
  const lines = rows.map((row) => [
    row.what,
    ...names.map((name) => cell(row, name)),
    `${row.counts?.syncs ?? ''}`,
    `${row.counts?.opened ?? ''}`,
    ...(remote ? [`${row.sent?.requests ?? ''}`, megabytes(row.sent?.bytes)] : []),
    megabytes(row.memory),
    row.load.toFixed(1),
  ]);
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function cell({ seconds }: Row, name: string): string {
  const [own, taken] = [seconds.get('dag'), seconds.get(name)];
  if (taken === undefined) return '';
  if (typeof taken === 'string') return taken;
  const value = median(taken);
  if (name === 'dag' || typeof own !== 'object') return `**${duration(value)}**`;
  const ratio = value / median(own);
  const digits = ratio < 0.1 ? 2 : ratio < 10 ? 1 : 0;
  return `${duration(value)} (${ratio.toFixed(digits)}×)`;
}

function megabytes(bytes: number | undefined): string {
  if (bytes === undefined) return '';
  return bytes < 10e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

function duration(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
  return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
}

function machineLine(peers: readonly PeerId[]): string {
  const folder = process.env['BENCH_DIR'] ?? tmpdir();
  const parts = [
    new Date().toISOString().slice(0, 10),
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `Linux ${release().split('-')[0]}, ${fileSystemOf(folder)}`,
    `Node ${process.versions.node}`,
  ];
  for (const { name, version } of peers.map(findPeer)) if (version !== '') parts.push(`${name} ${version}`);
  return `${parts.join('; ')}.`;
}

function fileSystemOf(folder: string): string {
  return execFileSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' }).trim();
}

/** Puts a section into docs/benchmarks.md, in place of the one of that name, else at the end. */
export function writeSection(name: string, section: string): void {
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : HEAD;
  const [head = '', ...sections] = page.split(/^(?=## )/m);
  const kept = sections.map((text) => text.trim());
  const index = kept.findIndex((text) => text.startsWith(`## ${name}\n`));
  kept.splice(index === -1 ? kept.length : index, index === -1 ? 0 : 1, section.trim());
  writeFileSync(`${PAGE}.new`, `${[head.trim(), ...kept].join('\n\n')}\n`);
  renameSync(`${PAGE}.new`, PAGE);
}
