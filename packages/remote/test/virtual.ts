import { type Digest, decodeTree } from '@dag/model';
import { decode } from '../src/chunk/codec.ts';
import { KIND } from '../src/format/entry.ts';
import { PIECE_MAX } from '../src/format/limits.ts';
import { decodeList } from '../src/format/list.ts';
import { IndexObject } from '../src/index/object.ts';
import { indexName, packKey } from '../src/layout.ts';
import type { ObjectInfo, Storage } from '../src/storage/storage.ts';

const HALF_AN_HOUR = 30 * 60 * 1000;

interface Pending {
  readonly actor: string;
  readonly since: number;
  readonly go: () => void;
}

/**
 * A storage in memory, with time and order in the hands of the test: each call waits until it is let through. No call
 * takes more than an hour; an actor that is killed never comes back from its call.
 */
export class VirtualRemote {
  now = 1_800_000_000_000;
  readonly objects = new Map<string, { readonly bytes: Buffer; readonly modified: number }>();
  /** Who has begun something and not ended it: time stands still until all of them wait for a call. */
  readonly working = new Set<string>();
  /** Called after each change. */
  onChange: (key: string, how: 'put' | 'deleted') => void = () => {};
  #pending: Pending[] = [];
  readonly #decoded = new Map<string, IndexObject>();
  readonly #needs = new Map<string, Digest[]>();

  storageOf(actor: string): Storage {
    const turn = () => new Promise<void>((resolve) => this.#pending.push({ actor, since: this.now, go: resolve }));
    const { objects } = this;
    const infoOf = (key: string): ObjectInfo | undefined => {
      const found = objects.get(key);
      return found && { key, size: found.bytes.length, modified: found.modified };
    };
    return {
      url: 'virtual',
      capabilities: { conditionalPut: true, writable: true, jobs: 3 },
      put: async (key, body, options = {}) => {
        const bytes = Buffer.from(body);
        await turn();
        if (options.replace !== true && objects.has(key)) return 'present';
        objects.set(key, { bytes, modified: this.now });
        this.onChange(key, 'put');
        return 'stored';
      },
      get: async (key, { range } = {}) => {
        await turn();
        const found = objects.get(key);
        if (found === undefined) return undefined;
        const part = range === undefined ? found.bytes : found.bytes.subarray(range.start, range.start + range.length);
        return { size: part.length, body: once(part) };
      },
      head: async (key) => {
        await turn();
        return infoOf(key);
      },
      list: async function* (prefix) {
        await turn();
        const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
        yield keys.flatMap((key) => infoOf(key) ?? []);
      },
      delete: async (keys) => {
        for (const key of keys) {
          await turn();
          if (objects.delete(key)) this.onChange(key, 'deleted');
        }
      },
      settle: async () => {},
      close: () => {},
    };
  }

  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  /** Lets one call through: the one that `pick` (from 0 to 1) falls on. */
  async step(pick: number): Promise<void> {
    await this.#quiet();
    const [one] = this.#pending.splice(Math.floor(pick * this.#pending.length), 1);
    one?.go();
    await this.#quiet();
  }

  /** Time goes by; calls that have waited long are let through meanwhile. */
  async advance(ms: number, pick: () => number): Promise<void> {
    const end = this.now + ms;
    await this.#quiet();
    while (this.now < end) {
      this.now = Math.min(end, this.now + HALF_AN_HOUR);
      while (this.#pending.some(({ since }) => this.now - since > HALF_AN_HOUR)) {
        const old = this.#pending.filter(({ since }) => this.now - since > HALF_AN_HOUR);
        const one = old[Math.floor(pick() * old.length)];
        this.#pending = this.#pending.filter((other) => other !== one);
        one?.go();
        await this.#quiet();
      }
    }
  }

  async drain(pick: () => number): Promise<void> {
    await this.#quiet();
    for (let steps = 0; this.isBusy; steps++) {
      if (steps > 20_000) throw new Error('it never ends');
      await this.step(pick());
    }
  }

  kill(actor: string): void {
    this.#pending = this.#pending.filter((one) => one.actor !== actor);
    this.working.delete(actor);
  }

  async #quiet(): Promise<void> {
    do {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    } while ([...this.working].some((actor) => !this.#pending.some((call) => call.actor === actor)));
  }

  /** The indexes in force, whatever is being done. */
  inForce(): IndexObject[] {
    const all: IndexObject[] = [];
    for (const [key, { bytes }] of this.objects) {
      const name = indexName(key);
      if (name === undefined) continue;
      const index = this.#decoded.get(name) ?? IndexObject.decode(name, bytes);
      if (index === undefined) throw new Error(`${key} is damaged`);
      this.#decoded.set(name, index);
      all.push(index);
    }
    const replaced = new Set(all.flatMap(({ head }) => head.replaces));
    return all.filter(({ name }) => !replaced.has(name));
  }

  /** What each content that a reader finds needs; fails where the content is not there. */
  contents(): Map<Digest, Digest[]> {
    const needs = new Map<Digest, Digest[]>();
    for (const index of this.inForce()) {
      for (let i = 0; i < index.count; i++) {
        const { pack, offset, stored, codec, kind } = index.place(i);
        const bytes = this.objects.get(packKey(pack.name))?.bytes;
        if (bytes === undefined) throw new Error(`an index in force names ${pack.name}, which is not there`);
        const place = `${pack.name} ${offset}`;
        const found = this.#needs.get(place) ?? needsOf(bytes.subarray(offset, offset + stored), codec, kind);
        this.#needs.set(place, found);
        needs.set(index.digest(i), [...(needs.get(index.digest(i)) ?? []), ...found]);
      }
    }
    return needs;
  }
}

function needsOf(stored: Uint8Array, codec: number, kind: number): Digest[] {
  const content = decode(codec, stored, PIECE_MAX);
  if (content === undefined) throw new Error('an entry that can not be decoded');
  if (kind !== KIND.bytes) {
    const pieces = decodeList(Buffer.from(content), undefined) ?? [];
    return pieces.map(({ hash }) => `blake3:${Buffer.from(hash).toString('hex')}` as Digest);
  }
  const tree = decodeTree(content);
  return tree.ok ? tree.value.flatMap((entry) => (entry.kind === 'symlink' ? [] : [entry.digest])) : [];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
