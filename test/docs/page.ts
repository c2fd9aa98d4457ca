/** One step of a page: text for the shell, or a file that the page shows. */
export type Step =
  /** Hidden preparation: `<!-- setup … -->`. Must succeed. */
  | { readonly kind: 'setup'; readonly script: string; readonly slow: boolean }
  /** A fenced block with a file name behind its language: the file is written as it stands. */
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  /** A fenced `console` block. `from` and `to` are the lines of its inside, counted from 0, `to` exclusive. */
  | {
      readonly kind: 'console';
      readonly commands: readonly Command[];
      readonly slow: boolean;
      readonly from: number;
      readonly to: number;
    };

/** A command of a transcript and what came of it. */
export interface Command {
  /** What the shell gets: the line behind `$ `, and those behind `> `. */
  readonly script: string;
  readonly output: string;
}

/** Reads the steps of a Markdown page, in order. @throws Error where a fence or comment is not closed. */
export function parsePage(text: string): Step[] {
  const lines = text.split('\n');
  const steps: Step[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const setup = /^<!-- setup( slow)?$/.exec(line);
    const fence = /^```(\S*)(?: (.*))?$/.exec(line);
    if (setup === null && fence === null) continue;
    const end = lines.indexOf(setup === null ? '```' : '-->', at + 1);
    if (end < 0) throw new Error(`line ${at + 1}: '${line}' has no end`);
    const inside = lines.slice(at + 1, end);
    const [language, info = ''] = [fence?.[1], fence?.[2]];
    if (setup !== null) {
      steps.push({ kind: 'setup', script: inside.join('\n'), slow: setup[1] !== undefined });
    } else if (language === 'console') {
      const slow = info.split(' ').includes('slow');
      steps.push({ kind: 'console', commands: parseCommands(inside), slow, from: at + 1, to: end });
    } else if (info !== '') {
      steps.push({ kind: 'file', name: info, text: `${inside.join('\n')}\n` });
    }
    at = end;
  }
  return steps;
}

function parseCommands(lines: readonly string[]): Command[] {
  const commands: { script: string[]; output: string[] }[] = [];
  for (const line of lines) {
    const last = commands.at(-1);
    if (line.startsWith('$ ')) commands.push({ script: [line.slice(2)], output: [] });
    else if (last === undefined) throw new Error(`a transcript begins with '$ ', not with '${line}'`);
    else if (line.startsWith('> ') && last.output.length === 0) last.script.push(line.slice(2));
    else last.output.push(line);
  }
  return commands.map(({ script, output }) => ({
    script: script.join('\n'),
    output: output.map((line) => `${line}\n`).join(''),
  }));
}

/** The inside of a console block, as lines. */
export function renderCommands(commands: readonly Command[]): string[] {
  return commands.flatMap(({ script, output }) => {
    const [first = '', ...rest] = script.split('\n');
    const shown = output === '' ? [] : output.replace(/\n$/, '').split('\n');
    if (shown.some((line) => line.startsWith('$ ') || line === '```') || shown[0]?.startsWith('> ') === true) {
      throw new Error(`the output of '${first}' would be read as something else`);
    }
    return [`$ ${first}`, ...rest.map((line) => `> ${line}`), ...shown];
  });
}

/**
 * A transcript without what differs from one time or machine to the next: durations, times, process and commit ids, and how
 * the shell words it that a command is not there.
 */
export function normalise(text: string): string {
  return (
    text
      .replace(/\b\d+ h \d+ min\b|\b\d+ min \d+ s\b|\b\d+(\.\d+)? s\b/g, 'N s')
      .replace(/"(seconds|saved_seconds)":[\d.e-]+/g, '"$1":N')
      .replace(/\b\d{4}-\d\d-\d\dT\d{6}-\d{3}Z-\d+\.log/g, 'TIME.log')
      .replace(/\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?/g, 'TIME')
      .replace(/\b(pid|process) \d+ on [^\s,)]+/g, '$1 N')
      .replace(/\b\d+(\.\d+)?(ms|s)\b/g, 'N s')
      .replace(/; N s saved/g, '')
      .replace(/\b[\d.]+ images?\/s/g, 'N images/s')
      // What a run took is a column each, and their widths vary with it.
      .replace(/^(.*WHEN \(UTC\) +RESULT) .*$/gm, '$1')
      .replace(/^(.* TIME {2}(?:ok|failed \(\d+\)|restored))( .*)?$/gm, '$1')
      .replace(/^(\[\S+ (?:\(root-commit\) )?)[0-9a-f]{7,40}\]/gm, '$1COMMIT]')
      .replace(/\b(HEAD is now at|Switched to) [0-9a-f]{7,40}\b/g, '$1 COMMIT')
      .replace(/^[0-9a-f]{7} /gm, 'COMMIT ')
      .replace(/\bcommit [0-9a-f]{7}\b/g, 'commit COMMIT')
      .replace(/ \([0-9a-f]{7}\)$/gm, ' (COMMIT)')
      .replace(/\/bin\/sh: .*not found$/gm, '/bin/sh: not found')
  );
}
