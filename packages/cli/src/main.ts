import { Command, CommanderError } from 'commander';
import { EXIT } from './failure.ts';
import { jsonLine } from './render/json.ts';
import { OUTPUT_CLOSED } from './verb.ts';
import { declareVerbs } from './verbs.ts';

/** Reads the command line, runs the verb, and ends the process with its exit status. */
export async function main(version: string): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', outputFailed);
  const program = declareVerbs(new Command('dag').version(version, '-V, --version', 'print the version'));
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (process.exitCode !== EXIT.done && process.argv.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      process.stdout.write(jsonLine({ event: 'error', code: 'usage', message }));
    }
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit();
}

/** A reader that has seen enough (`dag graph | head`) ends us as it ends other programs, but in good order. */
function outputFailed(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') {
    const events: NodeJS.EventEmitter = process;
    if (!events.emit(OUTPUT_CLOSED.event)) process.exit(OUTPUT_CLOSED.status);
    return;
  }
  process.stderr.write(`error: can't write to standard output: ${error.message}\n`);
  process.exit(EXIT.surroundings);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => (stream.destroyed ? resolve() : stream.write('', () => resolve())));
}
