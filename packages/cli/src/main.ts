import { Command, CommanderError } from 'commander';
import { EXIT } from './failure.ts';
import { jsonLine } from './render/json.ts';
import { declareVerbs } from './verbs.ts';

/** Reads the command line, runs the verb, and ends the process with its exit status. */
export async function main(version: string): Promise<void> {
  // A reader that has seen enough (`dag graph | head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.done);
    process.stderr.write(`error: can't write to standard output: ${error.message}\n`);
    process.exit(EXIT.surroundings);
  });
  const program = declareVerbs(new Command('dag').version(version, '-V, --version', 'print the version'));
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const shown = error.exitCode === 0 || error.code === 'commander.help';
    process.exitCode = shown && error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (process.exitCode !== EXIT.done && process.argv.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      process.stdout.write(jsonLine({ event: 'error', code: 'usage', message }));
    }
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit();
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
