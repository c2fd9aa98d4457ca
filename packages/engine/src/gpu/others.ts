import { heldClaims } from './claim.ts';
import { outermost, partOf, type Rooms } from './free.ts';
import { askNvidiaSmi, canShare, type GpuDevice } from './smi.ts';

/** For how long an answer of `nvidia-smi` about memory in use is good, in milliseconds. */
const FRESH_MS = 5000;

/**
 * How much memory of each device programs use that leased nothing: what is in use beyond what those who hold a part of it
 * declared. So a stage that uses less than it declared hides as much, and one that uses more counts with what it uses.
 * A device that can't be shared has no room: one of unknown memory, or that takes one process at a time.
 */
export class OthersUse {
  readonly #folder: string;
  readonly #ask: () => ReturnType<typeof askNvidiaSmi>;
  readonly #devices: readonly GpuDevice[];
  #measured: Promise<Rooms> | undefined;
  #at = 0;

  constructor(folder: string, devices: readonly GpuDevice[], env: Readonly<Record<string, string | undefined>>) {
    this.#folder = folder;
    this.#devices = devices;
    this.#ask = () => askNvidiaSmi(env);
  }

  /** Never rejects; where `nvidia-smi` does not answer, what it said last is believed. */
  rooms(): Promise<Rooms> {
    const now = Date.now();
    if (this.#measured === undefined || now - this.#at >= FRESH_MS) {
      const last = this.#measured;
      this.#at = now;
      this.#measured = this.#measure(last);
    }
    return this.#measured;
  }

  async #measure(last: Promise<Rooms> | undefined): Promise<Rooms> {
    const before = heldClaims(this.#folder);
    const answer = await this.#ask();
    const after = heldClaims(this.#folder);
    const rooms = (await last) ?? new Map();
    // Whoever came or went meanwhile may be in the figures or not.
    const holders = outermost([...new Map([...before, ...after].map((claim) => [claim.id, claim])).values()]);
    const used = new Map(
      answer.kind === 'devices' ? answer.devices.map((device) => [device.id, device.used ?? 0]) : [],
    );
    return new Map(
      this.#devices.filter(canShare).map(({ id, memory: total = 0 }) => {
        const now = used.get(id);
        if (now === undefined) return [id, { total, others: rooms.get(id)?.others ?? 0 }];
        const declared = holders
          .filter(({ held }) => held.includes(id))
          .reduce((sum, holder) => sum + partOf(holder, id), 0);
        return [id, { total, others: Math.max(0, now - declared) }];
      }),
    );
  }
}
