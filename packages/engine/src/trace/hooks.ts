import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from '@dag/model';
import type { Access } from './access.ts';
import { makeTraceFolder } from './folder.ts';
import type { Watch } from './strace.ts';

/** A line of what a hook notes; a module is named by its URL. */
type Noted = Access | { readonly kind: 'url'; readonly path: string; readonly program: string } | Aside;

/** What bears on whether all was noted. */
type Aside = { readonly kind: 'began' | 'spawn' | 'native' | 'problem'; readonly text: string };

/** What a shell does itself, or hands to more than one program. */
const SHELL_AT_WORK = /[|&;<>()$`\\*?[\]#~!{}\n]|^\S*=/;

/**
 * Watches processes by the hooks that their languages offer, for machines where no strace works: Node and Python note
 * what they open. What they start that is of neither, and what native code opens, is not seen; it is told as a problem.
 * @param hooks the folder that holds `node-hook.cjs`, and `python` with its `sitecustomize.py`; absolute.
 * @param why there is no strace.
 */
export function watchByHooks(
  { tmp, hooks, why }: { readonly tmp: string; readonly hooks: string; readonly why: string },
  stage: Stage,
  emit: (access: Access) => void,
): Watch {
  const folder = makeTraceFolder(tmp);
  const log = path.join(folder, 'log');
  fs.writeFileSync(log, '');
  return {
    wrap: ({ file, args, env }) => ({
      file,
      args,
      env: {
        ...env,
        DAG_TRACE_LOG: log,
        NODE_OPTIONS: [`--require=${quoted(path.join(hooks, 'node-hook.cjs'))}`, env['NODE_OPTIONS']]
          .filter(Boolean)
          .join(' '),
        PYTHONPATH: [path.join(hooks, 'python'), env['PYTHONPATH']].filter(Boolean).join(path.delimiter),
      },
    }),
    end: async () => {
      const noted = fs.readFileSync(log, 'utf8').split('\n').flatMap(parse);
      fs.rmSync(folder, { recursive: true, force: true });
      for (const one of noted) {
        if (one.kind === 'url') emit({ kind: 'read', path: fileURLToPath(one.path), program: one.program });
        else if (!isAside(one)) emit(one);
      }
      const gaps = gapsOf(stage, noted);
      return gaps.length === 0 ? [] : [why, ...gaps];
    },
  };
}

function isAside(noted: Noted): noted is Aside {
  return noted.kind === 'began' || noted.kind === 'spawn' || noted.kind === 'native' || noted.kind === 'problem';
}

/** What may have happened unseen. */
function gapsOf(stage: Stage, noted: readonly Noted[]): string[] {
  const asides = noted.filter(isAside);
  const began = asides.filter(({ kind }) => kind === 'began');
  const spawned = asides.filter(({ kind }) => kind === 'spawn');
  const gaps: string[] = [];
  const commands = stage.action.kind === 'worker' ? [] : [stage.action.cmd].flat();
  const roots = stage.action.kind === 'worker' ? 1 : commands.length;
  if (commands.some((command) => SHELL_AT_WORK.test(command))) {
    gaps.push(
      'what its shell does by itself, and programs that are neither Node nor Python, can only be seen with strace',
    );
  } else if (began.length < roots) {
    gaps.push(`'${commands[0]?.split(' ')[0] ?? 'node'}' is neither Node nor Python: it can only be seen with strace`);
  }
  if (began.length < roots + spawned.length) {
    for (const { text } of spawned.slice(0, 5)) gaps.push(`what it starts ('${text}') may be neither Node nor Python`);
  }
  const native = new Set(asides.flatMap(({ kind, text }) => (kind === 'native' ? [path.basename(text)] : [])));
  if (native.size > 0) {
    const [first] = native;
    const more = native.size > 1 ? ` and ${native.size - 1} more` : '';
    gaps.push(`native code (${first}${more}) may open files unseen`);
  }
  for (const { kind, text } of asides) if (kind === 'problem') gaps.push(text);
  return gaps;
}

function parse(line: string): Noted[] {
  if (line === '') return [];
  try {
    return [JSON.parse(line) as Noted];
  } catch {
    return [{ kind: 'problem', text: 'a line of what was noted is not whole' }];
  }
}

/** A path as `NODE_OPTIONS` reads it. */
function quoted(file: string): string {
  return /[\s"\\]/.test(file) ? `"${file.replaceAll(/["\\]/g, '\\$&')}"` : file;
}
