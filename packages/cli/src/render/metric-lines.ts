/** Numbers that a worker reports for one step, on one line. */
export class MetricLines {
  readonly #show: (stage: string, text: string) => void;
  #stage = '';
  #step: number | undefined;
  #parts: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(show: (stage: string, text: string) => void) {
    this.#show = show;
  }

  add(stage: string, name: string, value: number, step: number | undefined): void {
    if (stage !== this.#stage || step !== this.#step) this.flush();
    this.#stage = stage;
    this.#step = step;
    this.#parts.push(`${name} ${shortNumber(value)}`);
    this.#timer ??= setTimeout(() => this.flush(), 100);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#parts.length === 0) return;
    const step = this.#step === undefined ? '' : `step ${this.#step}  `;
    this.#show(this.#stage, `${step}${this.#parts.join('  ')}`);
    this.#parts = [];
  }
}

/** A number as a person reads it: four digits that count. */
export function shortNumber(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}
