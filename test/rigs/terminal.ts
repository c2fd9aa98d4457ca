import { spawn, spawnSync } from 'node:child_process';
import { DAG, NODE, scrubbedEnv } from './dag.ts';
import type { TestProject } from './project.ts';

/** Whether terminals can be had here: Python has the system's pty calls, Node has not. */
export const hasTerminals = spawnSync('python3', ['-c', 'import pty, termios']).status === 0;

/** Runs a program on a terminal of its own. Reads `resize ROWS COLUMNS` and `type TEXT` from its standard input. */
const RELAY = `
import fcntl, os, pty, select, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
def resize(rows, columns): fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
go_read, go_write = os.pipe()
child, terminal = pty.fork()
if child == 0:
    os.read(go_read, 1)
    os.execvp(sys.argv[3], sys.argv[3:])
resize(rows, columns)
os.write(go_write, b'x')
sources, commands = [terminal, 0], b''
while True:
    ready = select.select(sources, [], [])[0]
    if terminal in ready:
        try: data = os.read(terminal, 65536)
        except OSError: data = b''
        if not data: break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: sources.remove(0)
        commands += data
        *lines, commands = commands.split(b'\\n')
        for line in lines:
            word, _, rest = line.partition(b' ')
            if word == b'resize': resize(*map(int, rest.split()))
            else: os.write(terminal, rest)
status = os.waitpid(child, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

/** A `dag` that runs on a terminal. */
export interface OnTerminal {
  /** What it wrote so far. */
  readonly output: string;
  /** The screen as the user sees it now, and what scrolled off it. */
  readonly screen: Screen;
  /** Resolves when the screen is as wanted; fails when it ended before. */
  until(wanted: (screen: Screen) => boolean): Promise<void>;
  resize(rows: number, columns: number): void;
  type(text: string): void;
  readonly status: Promise<number | null>;
}

export function onTerminal(
  project: TestProject,
  args: readonly string[],
  {
    rows = 24,
    columns = 80,
    env = {},
  }: { rows?: number; columns?: number; env?: Readonly<Record<string, string>> } = {},
): OnTerminal {
  const { CI: _, ...scrubbed } = scrubbedEnv(project.home);
  const child = spawn('python3', ['-c', RELAY, String(rows), String(columns), NODE, DAG, ...args], {
    cwd: project.root,
    env: { ...scrubbed, TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const screen = new Screen(columns);
  let output = '';
  let changed = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    screen.write(text);
    changed();
  });
  const status = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      resolve(code);
      changed();
    });
  });
  return {
    get output() {
      return output;
    },
    screen,
    status,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        changed = () => {
          if (wanted(screen)) resolve();
          else if (child.exitCode !== null) reject(new Error(`it ended; last seen:\n${screen.text()}`));
        };
        changed();
      }),
    resize: (newRows, newColumns) => {
      screen.resize(newColumns);
      child.stdin.write(`resize ${newRows} ${newColumns}\n`);
    },
    type: (text) => child.stdin.write(`type ${text}\n`),
  };
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/;

/** What a wide character takes beside its own cell. */
const BESIDE = '';

/** As much of a terminal as the display uses: it breaks long lines, and breaks them anew when it is resized. */
export class Screen {
  /** Lines from the first that was ever written, as cells; a broken one is one line. */
  readonly #lines: string[][] = [[]];
  #line = 0;
  /** Cell of its line at which the cursor stands; between two rows it is at the start of the lower one. */
  #cell = 0;
  #rest = '';
  #columns: number;
  cursorShown = true;

  constructor(columns: number) {
    this.#columns = columns;
  }

  resize(columns: number): void {
    this.#columns = columns;
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal looks for
    const parts = (this.#rest + text).split(/(\x1b\[[?0-9;]*[A-Za-z]|\r|\n)/);
    this.#rest = '';
    for (const [at, part] of parts.entries()) {
      const isControl = at % 2 === 1;
      if (isControl && part === '\r') this.#cell -= this.#cell % this.#columns;
      else if (isControl && part === '\n') this.#down();
      else if (isControl) this.#control(part.slice(2));
      else if (part.includes('\x1b')) this.#rest = part;
      else this.#print(part);
    }
  }

  /** All lines, without the empty ones at the end. */
  text(): string {
    const lines = this.#lines.map((cells) => cells.join('').trimEnd());
    return lines.join('\n').trimEnd();
  }

  lines(): string[] {
    return this.text().split('\n');
  }

  #control(code: string): void {
    if (code === '?25l') this.cursorShown = false;
    else if (code === '?25h') this.cursorShown = true;
    else if (code.endsWith('A')) for (let rows = Number(code.slice(0, -1)); rows > 0; rows--) this.#up();
    else if (code === 'J' || code === 'K') {
      this.#cells().length = Math.min(this.#cells().length, this.#cell);
      if (code === 'J') this.#lines.length = this.#line + 1;
    }
  }

  #cells(): string[] {
    const cells = this.#lines[this.#line];
    if (cells === undefined) throw new Error('the cursor is nowhere');
    return cells;
  }

  #up(): void {
    if (this.#cell >= this.#columns) {
      this.#cell -= this.#columns;
      return;
    }
    if (this.#line === 0) return;
    this.#line--;
    const rows = Math.max(1, Math.ceil(this.#cells().length / this.#columns));
    this.#cell += (rows - 1) * this.#columns;
  }

  #down(): void {
    this.#line++;
    this.#cell = 0;
    if (this.#line === this.#lines.length) this.#lines.push([]);
  }

  #print(text: string): void {
    const cells = this.#cells();
    for (const character of text) {
      while (cells.length < this.#cell) cells.push(' ');
      cells[this.#cell++] = character;
      if (WIDE.test(character)) cells[this.#cell++] = BESIDE;
    }
  }
}
