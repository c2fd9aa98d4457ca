import type { TransferEvent } from '../remote.ts';

/** Counts what has moved and what there is to move, and says so. */
export interface Progress {
  /** More to move, or less where it turns out to be there already. */
  readonly add: (objects: number, bytes: number) => void;
  /** The end of something that was added; `moved` is false when it failed. */
  readonly done: (objects: number, bytes: number, moved: boolean) => void;
  /** What has been moved. */
  readonly moved: () => { readonly objects: number; readonly bytes: number };
}

export function countProgress(emit: (event: TransferEvent) => void): Progress {
  let objects = 0;
  let bytes = 0;
  let totalObjects = 0;
  let totalBytes = 0;
  const moved = { objects: 0, bytes: 0 };
  const tell = () => emit({ kind: 'progress', objects, bytes, totalObjects, totalBytes });
  return {
    add: (moreObjects, moreBytes) => {
      totalObjects += moreObjects;
      totalBytes += moreBytes;
    },
    done: (someObjects, someBytes, wasMoved) => {
      objects += someObjects;
      bytes += someBytes;
      if (wasMoved) {
        moved.objects += someObjects;
        moved.bytes += someBytes;
      }
      tell();
    },
    moved: () => ({ ...moved }),
  };
}
