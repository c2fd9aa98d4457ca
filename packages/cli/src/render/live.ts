import type { Io } from '../io.ts';
import { secondsText } from './units.ts';

interface Running {
  readonly since: number;
  fraction?: number;
  text?: string;
}

/** Lines at the foot of a terminal, one a running stage, redrawn in place; all else scrolls above them. */
export class LiveLines {
  readonly #io: Io;
  readonly #enabled: boolean;
  readonly #running = new Map<string, Running>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(io: Io, enabled: boolean) {
    this.#io = io;
    this.#enabled = enabled;
  }

  start(name: string): void {
    this.#running.set(name, { since: Date.now() });
    if (!this.#enabled) return;
    this.#timer ??= setInterval(() => this.#redraw(), 200);
  }

  progress(name: string, fraction: number, text: string | undefined): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    running.fraction = Math.min(1, Math.max(0, fraction));
    if (text !== undefined) running.text = text;
  }

  end(name: string): void {
    this.#running.delete(name);
    this.#redraw();
  }

  /** Writes to standard output, above the live lines. */
  print(text: string): void {
    this.#above(() => this.#io.out(text));
  }

  /** Writes to standard error, above the live lines. */
  say(text: string): void {
    this.#above(() => this.#io.err(text));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#erase();
    this.#running.clear();
  }

  #above(write: () => void): void {
    this.#erase();
    write();
    this.#draw();
  }

  #redraw(): void {
    this.#erase();
    this.#draw();
  }

  #erase(): void {
    if (this.#drawn === 0) return;
    this.#io.err(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    if (!this.#enabled) return;
    for (const [name, { since, fraction, text }] of this.#running) {
      const bar =
        fraction === undefined ? '' : `  ${barText(fraction)} ${String(Math.round(fraction * 100)).padStart(3)} %`;
      const line = `▸ ${name}  ${secondsText((Date.now() - since) / 1000)}${bar}${text === undefined ? '' : `  ${text}`}`;
      this.#io.err(`${line.slice(0, Math.max(20, this.#io.columns - 1))}\n`);
      this.#drawn++;
    }
  }
}

function barText(fraction: number): string {
  const full = Math.round(fraction * 20);
  return '█'.repeat(full) + '░'.repeat(20 - full);
}
