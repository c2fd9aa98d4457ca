import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';

/** A stage of a random pipeline: it reads a source and some earlier stages, and writes what its function makes of them. */
export interface Shape {
  readonly source: number;
  /** How far back in the list the stages are that it reads. */
  readonly back: readonly number[];
  /** `copy` passes every change on; `lines` only that of the number of lines. */
  readonly kind: 'copy' | 'lines';
}

/** What can be said of a stage beside that; each can be turned on and off. `dep` and `param` are read by no command. */
const MARKS = ['frozen', 'always', 'persist', 'uncached', 'dep', 'param'] as const;
type Mark = (typeof MARKS)[number];

export type Edit =
  | { readonly edit: 'source'; readonly which: number; readonly text: string }
  | { readonly edit: 'command' | 'param'; readonly which: number; readonly version: number }
  | { readonly edit: 'delete-out' | 'damage-out'; readonly which: number }
  | { readonly edit: 'mark'; readonly which: number; readonly mark: Mark }
  | { readonly edit: 'delete-lock' };

const SOURCES = 3;

export const shapes = fc.array(
  fc.record<Shape>({
    source: fc.nat({ max: SOURCES - 1 }),
    back: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
    kind: fc.constantFrom('copy', 'lines'),
  }),
  { minLength: 1, maxLength: 7 },
);

const which = fc.nat({ max: 6 });

/** Edits of what stages are made from, and of what they made. */
export const plainEdits: fc.Arbitrary<Edit>[] = [
  fc.record({
    edit: fc.constant('source' as const),
    which: fc.nat({ max: SOURCES - 1 }),
    text: fc.constantFrom('a\n', 'b\n', 'a\nb\n', ''),
  }),
  fc.record({ edit: fc.constantFrom('command' as const, 'param' as const), which, version: fc.nat({ max: 2 }) }),
  fc.record({ edit: fc.constantFrom('delete-out' as const, 'damage-out' as const), which }),
  fc.constant({ edit: 'delete-lock' as const }),
];

/** Edits of what is said of stages. */
export const markEdit: fc.Arbitrary<Edit> = fc.record({
  edit: fc.constant('mark' as const),
  which,
  mark: fc.constantFrom(...MARKS),
});

/** Where the command of a stage stands: nothing made, half of its out, all of it. */
export const MOMENTS = ['began', 'half', 'made'] as const;
export type Moment = (typeof MOMENTS)[number];

interface Locked {
  readonly key: string;
  readonly content: string;
}

/** The pipeline as it stands, and a naive picture of what must happen: every key and every result that ever was. */
export class World {
  readonly shapes: readonly Shape[];
  readonly #sources = Array.from({ length: SOURCES }, () => 'a\n');
  readonly #commands: number[];
  readonly #params: number[];
  readonly #marks: Set<Mark>[];
  /** What the run cache knows, by key. */
  readonly #results = new Map<string, string>();
  /** Contents that the cache holds. */
  readonly #objects = new Set<string>();
  #locked: (Locked | undefined)[];
  /** What stands in the workspace. */
  readonly outs: (string | undefined)[];

  constructor(shapes: readonly Shape[]) {
    this.shapes = shapes;
    this.#commands = shapes.map(() => 0);
    this.#params = shapes.map(() => 0);
    this.#marks = shapes.map(() => new Set());
    this.#locked = shapes.map(() => undefined);
    this.outs = shapes.map(() => undefined);
  }

  /** Takes an edit down, and makes it in the project. */
  apply(root: string, one: Edit): void {
    if ('which' in one && one.edit !== 'source' && one.which >= this.shapes.length) return;
    switch (one.edit) {
      case 'source':
        this.#sources[one.which] = one.text;
        break;
      case 'command':
        this.#commands[one.which] = one.version;
        break;
      case 'param':
        this.#params[one.which] = one.version;
        break;
      case 'mark': {
        const marks = this.#marks[one.which];
        if (one.mark === 'frozen' && this.outs[one.which] === undefined) return;
        if (marks?.delete(one.mark) === false) marks.add(one.mark);
        break;
      }
      case 'delete-out':
      case 'damage-out':
        if (this.outs[one.which] === undefined) return;
        // A frozen stage would leave it gone, and what reads it could not run.
        if (one.edit === 'delete-out' && this.#marks[one.which]?.has('frozen') === true) return;
        fs.rmSync(path.join(root, `o${one.which}`));
        this.outs[one.which] = one.edit === 'damage-out' ? 'by hand' : undefined;
        if (one.edit === 'damage-out') fs.writeFileSync(path.join(root, `o${one.which}`), 'by hand');
        break;
      case 'delete-lock':
        fs.rmSync(path.join(root, 'pipeline.lock'), { force: true });
        this.#locked = this.#locked.map(() => undefined);
        break;
    }
    this.write(root);
  }

  write(root: string): void {
    fs.writeFileSync(path.join(root, 'pipeline.yaml'), this.#yaml());
    fs.writeFileSync(path.join(root, 'extra'), 'read by nobody\n');
    fs.writeFileSync(path.join(root, 'params.yaml'), this.#params.map((value, i) => `p${i}: ${value}\n`).join(''));
    for (const [index, text] of this.#sources.entries()) fs.writeFileSync(path.join(root, `s${index}`), text);
  }

  #inputs(index: number): string[] {
    const { source, back } = this.shapes[index] as Shape;
    const stages = back.map((steps) => index - steps).filter((at) => at >= 0);
    return [`s${source}`, ...stages.sort((a, b) => a - b).map((at) => `o${at}`)];
  }

  /**
   * It notes that it began, in a file of its own run where RUN says so; has half an out for a moment; and does what the
   * variable AT says at each of its moments.
   */
  #command(index: number): string {
    const from = this.#inputs(index).join(' ');
    const make = this.shapes[index]?.kind === 'copy' ? `cat ${from}` : `cat ${from} | wc -l`;
    const at = (moment: Moment): string => `at=${moment}; eval "$AT"`;
    const half = `printf half > o${index}`;
    const whole = `${make} > o${index} && true ${this.#commands[index]}`;
    return `echo t${index} >> ran$RUN; ${[at('began'), half, at('half'), whole, at('made')].join('; ')}`;
  }

  #yaml(): string {
    const stages = this.shapes.map((_, index) => {
      const marks = this.#marks[index] as ReadonlySet<Mark>;
      const deps = [...this.#inputs(index), ...(marks.has('dep') ? ['extra'] : [])];
      const out = `o${index}: {cache: ${!marks.has('uncached')}, persist: ${marks.has('persist')}}`;
      return [
        `  t${index}:`,
        `cmd: ${JSON.stringify(this.#command(index))}`,
        `deps: [${deps.join(', ')}]`,
        `outs: [{${out}}]`,
        ...(marks.has('param') ? [`params: [p${index}]`] : []),
        ...(marks.has('frozen') ? ['frozen: true'] : []),
        ...(marks.has('always') ? ['always_changed: true'] : []),
      ].join('\n    ');
    });
    return `stages:\n${stages.join('\n')}\n`;
  }

  /** What a repro must do now; what it must leave is in `outs` then. */
  expected(): { readonly ran: string[]; readonly restored: string[]; readonly skipped: string[] } {
    const lists = { ran: [] as string[], restored: [] as string[], skipped: [] as string[] };
    for (const index of this.shapes.keys()) lists[this.#settle(index)].push(`t${index}`);
    return lists;
  }

  /** Whether all are skipped when nothing has changed. */
  get settles(): boolean {
    return this.shapes.every((_, index) => !this.alwaysRuns(`t${index}`));
  }

  alwaysRuns(stage: string): boolean {
    const marks = this.#marks[Number(stage.slice(1))];
    return marks?.has('always') === true && !marks.has('frozen');
  }

  #settle(index: number): 'ran' | 'restored' | 'skipped' {
    const marks = this.#marks[index] as ReadonlySet<Mark>;
    const locked = this.#locked[index];
    if (marks.has('frozen') && locked !== undefined) return 'skipped';
    const texts = this.#inputs(index).map((name) => {
      const at = Number(name.slice(1));
      return (name.startsWith('s') ? this.#sources[at] : this.outs[at]) ?? '';
    });
    const param = marks.has('param') ? this.#params[index] : undefined;
    const key = JSON.stringify([index, this.#command(index), texts, marks.has('dep'), param]);
    const isKept = !marks.has('always') && !marks.has('persist') && !marks.has('uncached');
    const all = texts.join('');
    let made = this.shapes[index]?.kind === 'copy' ? all : `${all.split('\n').length - 1}\n`;
    let how: 'ran' | 'restored' | 'skipped' = 'ran';
    if (!marks.has('always')) {
      const earlier = this.#results.get(key);
      if (locked?.key === key && locked.content === this.outs[index]) return 'skipped';
      if (locked?.key === key && this.#objects.has(locked.content)) [how, made] = ['restored', locked.content];
      else if (isKept && earlier !== undefined && this.#objects.has(earlier)) how = 'restored';
    }
    // It never runs, nor is anything recorded of it.
    if (how === 'ran' && marks.has('frozen')) return 'skipped';
    if (how === 'ran') {
      if (!marks.has('uncached')) this.#objects.add(made);
      if (isKept) this.#results.set(key, made);
    }
    this.#locked[index] = { key, content: made };
    this.outs[index] = made;
    return how;
  }
}

/** The outs of all stages, as they stand. */
export function outsOf(root: string, world: World): string[] {
  return world.shapes.map((_, index) => fs.readFileSync(path.join(root, `o${index}`), 'utf8'));
}
