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
  /** Width of the terminal, in columns. */
  readonly columns: number;
  /** Whether questions can be asked. */
  readonly interactive: boolean;
  ask(question: string): Promise<string>;
}

/** The io of this process. Colour and live display only on a terminal; `NO_COLOR` and `CI` are honoured. */
export function processIo(): Io {
  const { env } = process;
  const plain = (env['NO_COLOR'] ?? '') !== '' || (env['CI'] ?? '') !== '' || env['TERM'] === 'dumb';
  const results = gathered(process.stdout);
  return {
    out: results.write,
    err: (text) => {
      results.flush();
      process.stderr.write(text);
    },
    env,
    cwd: currentFolder(),
    live: process.stderr.isTTY === true && (env['CI'] ?? '') === '' && env['TERM'] !== 'dumb',
    colour: { out: process.stdout.isTTY === true && !plain, err: process.stderr.isTTY === true && !plain },
    columns: process.stderr.columns ?? 80,
    interactive: process.stdin.isTTY === true,
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
