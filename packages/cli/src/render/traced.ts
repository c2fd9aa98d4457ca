import { isClean, type StageTrace } from '@dag/engine';
import { type Paint, paint } from './paint.ts';
import { count } from './units.ts';

type Read = StageTrace['reads'][number];
type Write = StageTrace['writes'][number];

/** So many entries of a list that only helps to understand are shown. */
const FEW = 10;

/** What the trace of a stage found, as a person reads it; no lines where all is declared and nothing is of note. */
export function tracedLines(trace: StageTrace, verbose: boolean, colour: boolean): readonly string[] {
  const { stage, reads, writes, edits } = trace;
  const headed = (style: Paint, word: string, text: string): string => `${paint(style, word, colour)}: ${text}`;
  const warning = (text: string): string => headed('yellow', 'warning', text);
  const note = (text: string): string => headed('dim', 'note', text);
  const lines: string[] = [];
  if (reads.length > 0) {
    lines.push(warning(`stage '${stage}' reads what it does not declare`), ...aligned(tracedReads(reads)));
  }
  if (writes.length > 0) {
    lines.push(warning(`stage '${stage}' writes what it does not declare`), ...aligned(tracedWrites(writes)));
  }
  for (const edit of edits) lines.push(...editLines(edit, colour).map((line) => `  ${line}`));
  if (edits.length === 0 && (reads.length > 0 || writes.length > 0)) {
    lines.push(`  it is declared in ${trace.file}, line ${trace.line}`);
  }
  if (!trace.complete) {
    lines.push(warning(`stage '${stage}' could not be traced in full`), ...trace.problems.map((text) => `  ${text}`));
  }
  lines.push(...tracedNotes(trace).map((text) => note(`stage '${stage}' ${text}`)));
  if (verbose) lines.push(...detailsOf(trace).map((text) => note(`stage '${stage}' ${text}`)));
  if (verbose && isClean(trace)) lines.push(note(`stage '${stage}' declares all that it reads and writes`));
  return lines;
}

/** What the trace found, as scripts get it; long lists that only help to understand on request. */
export function tracedJson(trace: StageTrace, verbose: boolean): object {
  const { readsGit, absent, missed: _, packages, ...rest } = trace;
  return { ...rest, reads_git: readsGit, ...(verbose ? { absent, packages } : {}) };
}

/** The lines to write, and those in whose place. */
export function editLines({ file, line, before, after }: StageTrace['edits'][number], colour: boolean): string[] {
  const place = before.length > 0 ? `, line ${line}` : ` behind line ${line - 1}`;
  return [
    `to declare it, in ${file}${place}:`,
    ...before.map((text) => paint('red', `- ${text}`, colour)),
    ...after.map((text) => paint('green', `+ ${text}`, colour)),
  ];
}

/** Paths that were read, with by what, and who has them. */
export function tracedReads(reads: readonly Read[]): [string, string][] {
  return reads.map((read) => [nameOf(read), `read by ${read.program}; ${whoHas(read)}`]);
}

/** Files that are not there, with who has them where that is known: the latter first. */
export function tracedAbsent({ absent, missed }: StageTrace): string[] {
  const known = new Map(missed.files.map((file) => [file.path, file]));
  const owner = (file: StageTrace['missed']['files'][number]): string =>
    file.stage === undefined ? 'it is tracked data' : `stage '${file.stage}' makes it`;
  return [
    ...[...known.values()].map((file) => `${printable(file.path)}, which it does not declare: ${owner(file)}`),
    ...absent.filter((path) => !known.has(path)).map((path) => `${printable(path)}, which is not there`),
  ];
}

/** Paths that were written, with by what, and what they are. */
export function tracedWrites(writes: readonly Write[]): [string, string][] {
  return writes.map((write) => [nameOf(write), `${write.how} by ${write.program}${whatIs(write)}`]);
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(48, Math.max(...rows.map(([path]) => path.length)));
  return rows.map(([path, text]) => `  ${path.padEnd(width)}  ${text}`);
}

function whoHas(read: Read): string {
  switch (read.from) {
    case 'git':
      return 'it is in git';
    case 'data':
      return 'it is tracked data';
    case 'stage':
      return `stage '${read.stage}' makes it, and may run after this one`;
    case 'workspace':
      return 'it is neither in git nor tracked: nobody else has it';
    case 'outside':
      return 'it lies outside the project: nobody else may have it';
  }
}

function whatIs(write: Write): string {
  switch (write.of) {
    case 'dep':
      return '; it is a dep of this stage';
    case 'data':
      return '; it is tracked data';
    case 'git':
      return '; it is in git';
    case 'stage':
      return `; stage '${write.stage}' makes it`;
    default:
      return '';
  }
}

function nameOf({ path, files }: Read | Write): string {
  return files === undefined ? printable(path) : `${printable(path)}/ (${count(files, 'file')})`;
}

/** A name with what a terminal would obey written out. */
function printable(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return path.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (char) => JSON.stringify(char).slice(1, -1));
}

/** What is to be known of a trace and is no mistake. */
export function tracedNotes({ unread, connections, readsGit }: StageTrace): string[] {
  const notes: string[] = [];
  for (const dep of unread) notes.push(`opened nothing of its dep '${printable(dep)}'`);
  if (connections.length > 0) {
    notes.push(`had connections with ${some(connections)}: what came from there is no dep`);
  }
  if (readsGit) notes.push(`looked into git's folder: which commit it is may decide what it makes`);
  return notes;
}

function detailsOf({ absent, leftovers, packages }: StageTrace): string[] {
  const details: string[] = [];
  if (absent.length > 0) details.push(`looked for ${some(absent)}: there is no such file`);
  if (leftovers.length > 0) details.push(`left ${some(leftovers)}`);
  if (packages.length > 0) {
    details.push(`read ${count(packages.length, 'file')} of the system and of packages`);
  }
  return details;
}

function some(list: readonly string[]): string {
  const shown = list.slice(0, FEW).map(printable).join(', ');
  return list.length > FEW ? `${shown} and ${list.length - FEW} more` : shown;
}
