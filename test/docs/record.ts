import { type Command, normalise, parsePage, renderCommands, type Step } from './page.ts';
import { openPageShell, type PageShell } from './shell.ts';

/**
 * Runs the transcripts of a page, in order, in a new project. Slow blocks have a project of their own, so that the
 * rest comes out the same with and without them.
 * @returns the page with what came out. A block that says the same, but for what always differs, stays as it is.
 */
export async function recordPage(text: string, options: { readonly slow: boolean }): Promise<string> {
  const steps = parsePage(text);
  const lines = text.split('\n');
  const insides = new Map<Step, string[]>();
  for (const slow of options.slow ? [false, true] : [false]) {
    const mine = steps.filter((step) => (step.kind === 'file' ? !slow : step.slow === slow));
    if (mine.length === 0) continue;
    const shell = openPageShell({ npm: slow });
    try {
      for (const step of mine) {
        const inside = await runStep(step, shell);
        if (inside !== undefined) insides.set(step, inside);
      }
    } finally {
      shell.close();
    }
  }
  for (const step of steps.toReversed()) {
    const inside = insides.get(step);
    if (step.kind !== 'console' || inside === undefined) continue;
    const before = lines.slice(step.from, step.to);
    if (normalise(before.join('\n')) === normalise(inside.join('\n'))) continue;
    lines.splice(step.from, before.length, ...inside);
  }
  return lines.join('\n');
}

async function runStep(step: Step, shell: PageShell): Promise<string[] | undefined> {
  switch (step.kind) {
    case 'file':
      shell.write(step.name, step.text);
      return undefined;
    case 'setup':
      await shell.run(`set -e\n${step.script}\nset +e`);
      return undefined;
    case 'console': {
      const commands: Command[] = [];
      for (const { script } of step.commands) commands.push({ script, output: await shell.run(script) });
      return renderCommands(commands);
    }
  }
}
