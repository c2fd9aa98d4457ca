import { describe, expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';
import { hasTerminals, onTerminal } from '../rigs/terminal.ts';

const project = projectPerTest();
const held = heldPerTest();

const NAMES = Array.from({ length: 20 }, (_, i) => `stage${String(i).padStart(2, '0')}`);

function stages(names: readonly string[]): void {
  const text = names.map((name) => {
    const cmd = `echo '日本語 of ${name}'; ${held.command(name)}; echo x > ${name}.txt`;
    return `  ${name}:\n    cmd: ${JSON.stringify(cmd)}\n    outs: [${name}.txt]\n    params: [x]\n`;
  });
  project.write('pipeline.yaml', `stages:\n${text.join('')}`);
  project.write('params.yaml', 'x: 1\n');
}

const running = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('▸'));

describe.skipIf(!hasTerminals)('on a terminal', () => {
  test('twenty stages on 24 rows, made narrower meanwhile, leave a clean screen', async () => {
    stages(NAMES);
    const dag = onTerminal(project, ['repro', '-j', '20']);
    const commands = await Promise.all(NAMES.map((name) => held.started(name)));
    await dag.until((screen) => /and 2 more running\n {2}0 of 20$/.test(screen.text()));
    await dag.until((screen) => {
      const shown = running(screen.lines());
      return (
        shown.length === 18 && shown.every((line) => /^▸ (stage\d\d) {2}(?:\d+ min )?\S+ s {2}日本語 of \1$/.test(line))
      );
    });
    expect(dag.screen.cursorShown).toBe(false);
    dag.resize(12, 30);
    await dag.until((screen) => running(screen.lines()).length === 6);
    for (const command of commands) command.release();
    expect(await dag.status).toBe(0);
    const lines = dag.screen.lines();
    expect(running(lines)).toEqual([]);
    expect(
      lines
        .filter((line) => line.startsWith('ran '))
        .map((line) => line.split(/ +/)[1])
        .sort(),
    ).toEqual(NAMES);
    expect(lines.at(-1)).toBe('20 ran.');
    expect(dag.screen.cursorShown).toBe(true);
  });

  test('how long it takes, from the last time; what was saved; on few rows only the totals', async () => {
    stages(['a', 'b']);
    project.write('.cache/logs/durations.ndjson', '["a",1018]\n["b",538]\n');
    const dag = onTerminal(project, ['repro', '-j', '1'], { rows: 5 });
    const a = await held.started('a');
    await dag.until((screen) => /^ {2}0 of 2 · about \d+ min \d+ s left$/.test(screen.lines().at(-1) ?? ''));
    expect(running(dag.screen.lines())).toEqual([]);
    dag.resize(24, 80);
    await dag.until((screen) =>
      running(screen.lines()).some((line) =>
        /^▸ a {2}(?:\d+ min )?\S+ s, \d+ min \d+ s left {2}日本語 of a$/.test(line),
      ),
    );
    a.release();
    const b = await held.started('b');
    await dag.until((screen) => /^ {2}1 of 2 · 1 ran · about \d+ min \d+ s left$/.test(screen.lines().at(-1) ?? ''));
    b.release();
    expect(await dag.status).toBe(0);
  });

  test('Ctrl-C ends it in good order, and gives the cursor back', async () => {
    stages(['a', 'b']);
    const dag = onTerminal(project, ['repro', '-j', '2']);
    await Promise.all(['a', 'b'].map((name) => held.started(name)));
    await dag.until((screen) => running(screen.lines()).length === 2);
    dag.type('\x03');
    expect(await dag.status).toBe(130);
    expect(dag.screen.cursorShown).toBe(true);
    expect(running(dag.screen.lines())).toEqual([]);
    expect(dag.screen.text()).toContain('SIGINT: stopping; once more kills what still runs');
  });

  test('a question of -i stands below all that was said, with nothing drawn', async () => {
    project.write('pipeline.yaml', 'stages:\n  a:\n    cmd: echo said\n  b:\n    cmd: echo more\n');
    const dag = onTerminal(project, ['repro', '-i']);
    await dag.until((screen) => screen.text().endsWith("run stage 'a'? [y/N]"));
    dag.type('y\r');
    await dag.until((screen) => screen.text().endsWith("run stage 'b'? [y/N]"));
    const lines = dag.screen.lines();
    expect(lines.findIndex((line) => line.startsWith('ran '))).toBe(lines.length - 2);
    dag.type('n\r');
    expect(await dag.status).toBe(0);
    expect(dag.output).not.toContain('\x1b[?25l');
  });

  test('NO_COLOR draws without colour; CI draws nothing', async () => {
    project.write('pipeline.yaml', 'stages:\n  a:\n    cmd: echo said\n');
    const plain = onTerminal(project, ['repro'], { env: { NO_COLOR: '1' } });
    expect(await plain.status).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(plain.output).not.toMatch(/\x1b\[\d*m/);
    const ci = onTerminal(project, ['repro'], { env: { CI: 'true' } });
    expect(await ci.status).toBe(0);
    expect(ci.output).not.toContain('\x1b');
    expect(ci.output).toContain('a │ said\r\n');
  });
});
