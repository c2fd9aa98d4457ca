import type { TransferEvent } from '../remote.ts';

/** Counts what has moved and what there is to move, and says so. */
export interface Progress {
  /** More to move. */
  readonly add: (objects: number, bytes: number) => void;
  /** Begins one object; its bytes count as they move, and anew when a try is made again. */
  readonly begin: (size: number) => ObjectProgress;
  /** What has really been moved. */
  readonly moved: () => { readonly objects: number; readonly bytes: number };
}

export interface ObjectProgress {
  readonly advance: (bytes: number) => void;
  readonly restart: () => void;
  /** The end; `moved` is false when it needed no moving after all, or failed. */
  readonly end: (moved: boolean) => void;
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
      tell();
    },
    begin: (size) => {
      let shown = 0;
      const show = (upTo: number) => {
        bytes += upTo - shown;
        shown = upTo;
      };
      return {
        advance: (more) => {
          show(Math.min(size, shown + more));
          tell();
        },
        restart: () => show(0),
        end: (wasMoved) => {
          show(size);
          objects++;
          if (wasMoved) {
            moved.objects++;
            moved.bytes += size;
          }
          tell();
        },
      };
    },
    moved: () => ({ ...moved }),
  };
}
