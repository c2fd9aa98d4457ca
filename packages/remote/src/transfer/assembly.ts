import { hashBytes, type PartialObject, type Store } from '@dag/store';
import { PIECE_MAX } from '../format/limits.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Want } from './read-entries.ts';
import { digestOf, type PlacedPiece, pieceWants } from './read-objects.ts';
import type { WantedFile } from './receive.ts';

/** A large file of which pieces come in any order; in several goes where an earlier one was broken off. */
export class Assembly {
  readonly file: WantedFile;
  readonly #partial: PartialObject;
  /** Hears of each piece that has come: its bytes. */
  readonly #onPiece: (bytes: number) => void;
  #refused: string | undefined;
  #awaited = 0;
  #isAll = false;

  private constructor(file: WantedFile, partial: PartialObject, onPiece: (bytes: number) => void) {
    this.file = file;
    this.#partial = partial;
    this.#onPiece = onPiece;
  }

  static async open(store: Store, file: WantedFile, onPiece: (bytes: number) => void): Promise<Assembly> {
    return new Assembly(file, await store.openPartial(file.digest, file.size), onPiece);
  }

  /** Why it can't be had. */
  get refused(): string | undefined {
    return this.#refused;
  }

  /** Whether nothing is to come any more. */
  get isDone(): boolean {
    return this.#isAll && this.#awaited === 0;
  }

  /** Those of some pieces that are not there from an earlier go. */
  async lacking(pieces: readonly PlacedPiece[]): Promise<readonly PlacedPiece[]> {
    if (!this.#partial.resumed) return pieces;
    const lacking: PlacedPiece[] = [];
    const memory = Buffer.allocUnsafeSlow(PIECE_MAX);
    for (const piece of pieces) {
      const found = memory.subarray(0, piece.size);
      await this.#partial.read(found, piece.at);
      if (hashBytes(found) !== digestOf(piece)) lacking.push(piece);
    }
    return lacking;
  }

  /** What has to be read for some pieces. @param onDone called when the last of all pieces has come. */
  wants(catalog: Catalog, pieces: readonly PlacedPiece[], onDone: () => void): Want[] {
    const wants = pieceWants(
      catalog,
      pieces,
      (content, at) => this.#write(content, at),
      () => {},
    );
    this.#awaited += wants.length;
    const arrived = (): void => {
      this.#awaited--;
      if (this.isDone) onDone();
    };
    return wants.map((want) => ({
      ...want,
      take: async (content) => {
        await want.take(content);
        arrived();
      },
      refuse: (reason) => {
        this.#refused ??= reason;
        arrived();
      },
    }));
  }

  /** No more pieces will be asked for. */
  close(): void {
    this.#isAll = true;
  }

  flush(): Promise<void> {
    return this.#partial.flush();
  }

  /** Whether it is what it should be. */
  matches(): Promise<boolean> {
    return this.#partial.matches();
  }

  end(how: 'keep' | 'drop' | 'finished'): Promise<string> {
    return this.#partial.end(how);
  }

  async #write(content: Uint8Array, at: number): Promise<void> {
    await this.#partial.write(content, at);
    this.#onPiece(content.length);
  }
}
