import { createRandom, type Random, type RandomPosition } from '../../public/random.ts';

/** The random streams of a run whose positions a checkpoint keeps: those taken before it is first asked for one. */
export interface Streams {
  take(seed: number, name: string): Random;
  /** Streams taken from now on start anew in every run: a checkpoint does not know them. */
  close(): void;
  positions(): Readonly<Record<string, readonly RandomPosition[]>>;
  moveTo(positions: Readonly<Record<string, readonly RandomPosition[]>>): void;
}

/** A module that takes more than so many has no use for their positions: it takes one for each batch, say. */
const KNOWN_MOST = 10_000;

export function openStreams(): Streams {
  const taken = new Map<string, Random[]>();
  let open = true;
  let count = 0;
  return {
    take: (seed, name) => {
      const stream = createRandom(seed, name);
      if (!open || ++count > KNOWN_MOST) return stream;
      const others = taken.get(name);
      if (others === undefined) taken.set(name, [stream]);
      else others.push(stream);
      return stream;
    },
    close: () => {
      open = false;
    },
    positions: () =>
      Object.fromEntries(Array.from(taken, ([name, streams]) => [name, streams.map((one) => one.position())])),
    moveTo: (positions) => {
      for (const [name, streams] of taken) {
        for (const [i, stream] of streams.entries()) {
          const position = positions[name]?.[i];
          if (position !== undefined) stream.moveTo(position);
        }
      }
    },
  };
}
