import fs from 'node:fs';

/** The outside of the program, handed to everything that prints or looks around. */
export interface Io {
  /** Results. */
  out(text: string): void;
  /** Everything else. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Whether a live display may be drawn on standard error. */
  readonly live: boolean;
  readonly colour: { readonly out: boolean; readonly err: boolean };
  readonly terminal: Terminal;
  /** Whether questions can be asked. */
  readonly interactive: boolean;
  ask(question: string): Promise<string>;
}

/** The terminal that standard error is, if it is one. */
interface Terminal {
  /** As it is now. */
  size(): { readonly columns: number; readonly rows: number };
  /** Writes to standard error, whatever is diverted. */
  write(text: string): void;
  /** Has all that `err` is given go elsewhere, until it is called without a function. */
  divert(to?: (text: string) => void): void;
  /** Has a text written when the process ends, however it does so by itself; the returned function takes that back. */
  atExit(text: string): () => void;
}

/** The io of this process. Colour and live display only on a terminal; `NO_COLOR` and `CI` are honoured. */
export function processIo(): Io {
  const { env } = process;
  const plain = (env['NO_COLOR'] ?? '') !== '' || (env['CI'] ?? '') !== '' || env['TERM'] === 'dumb';
  const results = gathered(process.stdout);
  let diverted: ((text: string) => void) | undefined;
  const write = (text: string): void => {
    results.flush();
    process.stderr.write(text);
  };
  return {
    out: results.write,
    err: (text) => {
      if (diverted === undefined) write(text);
      else diverted(text);
    },
    env,
    cwd: currentFolder(),
    live: process.stderr.isTTY === true && (env['CI'] ?? '') === '' && env['TERM'] !== 'dumb',
    colour: { out: process.stdout.isTTY === true && !plain, err: process.stderr.isTTY === true && !plain },
    terminal: {
      size: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
      write,
      divert: (to) => {
        diverted = to;
      },
      atExit,
    },
    // Standard input is opened by looking at it, which takes milliseconds.
    get interactive() {
      return process.stdin.isTTY === true;
    },
    ask,
  };
}

/** What is written in one go goes out as one piece, before anything else happens: a call for each of 10,000 lines takes long. */
function gathered(stream: NodeJS.WritableStream): { write(text: string): void; flush(): void } {
  let waiting: string[] = [];
  const flush = (): void => {
    if (waiting.length === 0) return;
    const text = waiting.join('');
    waiting = [];
    stream.write(text);
  };
  return {
    write(text) {
      if (waiting.push(text) === 1) queueMicrotask(flush);
    },
    flush,
  };
}

function atExit(text: string): () => void {
  const write = (): void => {
    try {
      fs.writeSync(process.stderr.fd, text);
    } catch {
      // The terminal is gone.
    }
  };
  process.once('exit', write);
  return () => process.off('exit', write);
}

/** Empty where the folder that this process stands in is gone. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '';
  }
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  lines.on('SIGINT', () => {
    process.kill(process.pid, 'SIGINT');
    lines.close();
  });
  try {
    return await lines.question(question);
  } catch (error) {
    // Ctrl-C at the question, which takes the terminal's signals for itself; Ctrl-D is no answer.
    if ((error as NodeJS.ErrnoException).code !== 'ABORT_ERR') throw error;
    return '';
  } finally {
    lines.close();
  }
}
