import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from './dvc.ts';

/** A small project made by hand, and what it is about. */
export interface Case {
  readonly name: string;
  readonly files: { readonly [path: string]: string };
  /** Why dag answers otherwise on purpose; undefined where it must not. */
  readonly differs: string | undefined;
}

/** What was recorded for a case. */
export interface Recorded {
  readonly dvc: Answer;
  /** What is wrong, as `code line` of each problem, where dag refuses. */
  readonly dag?: readonly string[];
}

const CASES_FOLDER = join(import.meta.dirname, 'cases');

/** The topics: files of cases, without their ending. */
export function topics(): string[] {
  return readdirSync(CASES_FOLDER)
    .filter((name) => name.endsWith('.txt'))
    .map((name) => name.slice(0, -'.txt'.length))
    .sort();
}

/**
 * Reads the cases of a topic. A line `@ name` starts a case, whose text is pipeline.yaml until a line `--- path` starts another
 * file; `@@ name` starts one whose text is the body of a stage `s`. A line `! why` says that dag differs on purpose. Files
 * before the first case belong to all of them.
 */
export function readCases(topic: string): Case[] {
  const all = readFileSync(join(CASES_FOLDER, `${topic}.txt`), 'utf8').split(/^(?=@@? )/m);
  const shared = all[0]?.startsWith('@') ? '' : (all[0] ?? '');
  const texts = all.filter((text) => text.startsWith('@'));
  const common = filesOf(shared, '');
  return texts.map((text) => {
    const [heading = '', ...lines] = text.split('\n');
    const why = lines[0]?.startsWith('! ') ? lines.shift()?.slice(2) : undefined;
    const body = lines.join('\n').trimEnd();
    const files = filesOf(body === '' ? '' : `${body}\n`, 'pipeline.yaml');
    const stage = heading.startsWith('@@ ') ? { 'pipeline.yaml': asStage(files['pipeline.yaml'] ?? '') } : {};
    return { name: heading.replace(/^@@? /, ''), files: { ...common, ...files, ...stage }, differs: why };
  });
}

/** What was recorded for the cases of a topic, by name. */
export function readRecorded(topic: string): ReadonlyMap<string, Recorded> {
  const lines = readFileSync(join(CASES_FOLDER, `${topic}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n');
  return new Map(lines.map((line) => JSON.parse(line) as [string, Recorded]));
}

/** Writes down what was answered, a case a line. */
export function writeRecorded(topic: string, recorded: readonly (readonly [string, Recorded])[]): void {
  const text = recorded.map((one) => `${JSON.stringify(one)}\n`).join('');
  writeFileSync(join(CASES_FOLDER, `${topic}.jsonl`), text);
}

/** `first` names the file that lines before any `--- path` belong to; they are left out where it is empty. */
function filesOf(text: string, first: string): { [path: string]: string } {
  const [own = '', ...rest] = text.split(/^--- /m);
  const files: { [path: string]: string } = first === '' || own === '' ? {} : { [first]: own };
  for (const one of rest) {
    const end = one.indexOf('\n');
    files[one.slice(0, end).trim()] = one.slice(end + 1);
  }
  return files;
}

/** A stage body as a pipeline.yaml; `cmd: run` where it has no command. */
function asStage(body: string): string {
  const lines = /^(?:cmd|do|foreach):/m.test(body) ? body : `cmd: run\n${body}`;
  return `stages:\n  s:\n${lines.replace(/^(?=.)/gm, '    ')}`;
}
