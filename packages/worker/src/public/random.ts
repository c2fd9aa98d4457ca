/** A stream of random numbers that its seed decides, the same on every machine. Not for secrets. */
export interface Random {
  /** The next number in [0, 1), with 32 random bits. */
  next(): number;
  /** An integer in [0, bound). */
  integer(bound: number): number;
  /** A number of the standard normal distribution. */
  normal(): number;
  /** Puts a list or typed array into random order, in place, and returns it. */
  shuffle<T extends Shufflable>(items: T): T;
  /** Where the stream stands: JSON that `moveTo` takes. */
  position(): RandomPosition;
  /** Goes on from a position, of this stream or of any other. */
  moveTo(position: RandomPosition): void;
}

/** The state of the generator: three words and a counter, each an integer from 0 to 2^32 - 1. */
export type RandomPosition = readonly [number, number, number, number];

/** What can be shuffled: anything with a length and writable elements. */
type Shufflable = { readonly length: number; [index: number]: unknown };

/**
 * A stream by seed: sfc32 (Chris Doty-Humphrey, PractRand), with a state that is mixed from the seed and the name of the
 * stream by the finaliser of MurmurHash3.
 * @param seed any finite number.
 * @param name streams with different names are independent.
 */
export function createRandom(seed: number, name = ''): Random {
  const generator = sfc32(seedState(`${seed}/${name}`));
  const next = () => generator.draw() / 0x1_0000_0000;
  const integer = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    integer,
    // Box and Muller; 1 - next() is never 0.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    shuffle: (items) => {
      const list: { length: number; [index: number]: unknown } = items;
      for (let i = list.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        const held = list[i];
        list[i] = list[j];
        list[j] = held;
      }
      return items;
    },
    position: generator.position,
    moveTo: generator.moveTo,
  };
}

type State = readonly [number, number, number];

/** Three words out of a text: its code units, folded, then finalised with three different constants. */
function seedState(text: string): State {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = mix(hash ^ text.charCodeAt(i));
  return [mix(hash ^ 0x9e3779b9), mix(hash ^ 0x243f6a88), mix(hash ^ 0xb7e15162)];
}

function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) + 0x9e3779b9;
}

function sfc32(state: State) {
  let [a, b, c] = state;
  let counter = 1;
  const draw = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) draw();
  return {
    draw,
    position: (): RandomPosition => [a >>> 0, b >>> 0, c >>> 0, counter >>> 0],
    moveTo: (position: RandomPosition) => {
      [a, b, c, counter] = position;
    },
  };
}
