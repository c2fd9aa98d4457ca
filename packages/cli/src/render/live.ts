import { columnsOf } from '@dag/pipeline';
import type { Io } from '../io.ts';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** What stands between these is shown in one go, by terminals that know them. */
const [BEGIN, END] = ['\x1b[?2026h', '\x1b[?2026l'];

/** Time between two drawings, and until the first one, in milliseconds. */
const EVERY_MS = 100;
/** Text that waits for the next drawing, in characters, before it is written at once. */
const WAITS_AT_MOST = 64 * 1024;

/**
 * Lines at the foot of a terminal that are drawn anew in place, ten times a second at most; all else scrolls above them.
 * Where nothing is to be drawn, text is passed on at once.
 */
export class LiveLines {
  readonly #io: Io;
  /** The lines as they are now; none: nothing is shown. */
  readonly #frame: () => readonly string[];
  readonly #enabled: boolean;
  #drawn: readonly string[] = [];
  #waiting: { readonly stream: 'out' | 'err'; text: string }[] = [];
  #waitingLength = 0;
  #timer: NodeJS.Timeout | undefined;
  #forget: (() => void) | undefined;

  constructor(io: Io, enabled: boolean, frame: () => readonly string[]) {
    this.#io = io;
    this.#enabled = enabled;
    this.#frame = frame;
  }

  /** Draws from now on, until `close`; what anybody writes to standard error scrolls above too. */
  start(): void {
    if (!this.#enabled || this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#draw(), EVERY_MS);
    this.#io.terminal.divert((text) => this.say(text));
    // Whatever ends this process, the user gets the cursor back.
    this.#forget = this.#io.terminal.atExit(SHOW_CURSOR);
  }

  /** Writes to standard output, above the lines. */
  print(text: string): void {
    this.#write('out', text);
  }

  /** Writes to standard error, above the lines. */
  say(text: string): void {
    this.#write('err', text);
  }

  close(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#io.terminal.divert();
    this.#io.terminal.write(this.#erasing());
    this.#drawn = [];
    this.#pass();
    this.#io.terminal.write(SHOW_CURSOR);
    this.#forget?.();
    this.#forget = undefined;
  }

  #write(stream: 'out' | 'err', text: string): void {
    if (this.#timer === undefined) {
      this.#io[stream](text);
      return;
    }
    const last = this.#waiting.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.#waiting.push({ stream, text });
    this.#waitingLength += text.length;
    if (this.#waitingLength > WAITS_AT_MOST) this.#draw();
  }

  #draw(): void {
    const lines = this.#frame();
    if (this.#waiting.length === 0) {
      if (lines.length === this.#drawn.length && lines.every((line, at) => line === this.#drawn[at])) return;
      // In place, line by line: what stays the same does not vanish for a moment.
      const text = lines.map((line) => `${line}\x1b[K\n`).join('');
      this.#io.terminal.write(`${BEGIN}${HIDE_CURSOR}${this.#upwards()}${text}\x1b[J${END}`);
    } else {
      this.#io.terminal.write(`${BEGIN}${this.#erasing()}`);
      this.#pass();
      this.#io.terminal.write(`${HIDE_CURSOR}${lines.map((line) => `${line}\n`).join('')}${END}`);
    }
    this.#drawn = lines;
  }

  #pass(): void {
    for (const { stream, text } of this.#waiting) {
      if (stream === 'out') this.#io.out(text);
      else this.#io.terminal.write(text);
    }
    this.#waiting = [];
    this.#waitingLength = 0;
  }

  #erasing(): string {
    return this.#drawn.length === 0 ? '' : `${this.#upwards()}\x1b[J`;
  }

  /** To the first of the lines. A terminal that was made narrower has broken them. */
  #upwards(): string {
    const { columns } = this.#io.terminal.size();
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(columnsOf(line) / columns)), 0);
    return rows === 0 ? '\r' : `\r\x1b[${rows}A`;
  }
}
