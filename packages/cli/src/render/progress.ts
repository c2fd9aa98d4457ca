import type { TransferEvent } from '@dag/remote';
import { mendedText } from '@dag/workspace';
import type { Context } from '../verb.ts';
import { bytesText, secondsText } from './units.ts';

/** What long work reports: files and bytes so far, totals where they are known. */
export interface WorkDone {
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles?: number;
}

/** Shows how far long work is: one line on a terminal, from the first second on; events under --json. Warns of what it mended. */
export function workProgress(context: Context, what: string) {
  const started = Date.now();
  let shownAt = started;
  let drawn = false;
  return {
    options: {
      onProgress: ({ files, bytes, totalFiles }: WorkDone): void => {
        const now = Date.now();
        if (now - shownAt < (drawn ? 200 : 1000)) return;
        shownAt = now;
        context.emit({ event: 'progress', what, files, bytes, total_files: totalFiles });
        if (!context.io.live || context.quiet || context.json) return;
        drawn = true;
        const seconds = (now - started) / 1000;
        const rate = `${bytesText(Math.round(bytes / seconds))}/s`;
        const total = totalFiles === undefined ? '' : ` of ${totalFiles}`;
        const left = totalFiles && files > 0 ? `, ${secondsText((seconds * (totalFiles - files)) / files)} left` : '';
        context.io.err(`\r\x1b[K${what}: ${files}${total} files, ${bytesText(bytes)}, ${rate}${left}`);
      },
      onMended: (path: string, quarantined: string | undefined): void => {
        context.emit({ event: 'mended', path, quarantined });
        context.say(`warning: ${mendedText(path, quarantined)}`);
      },
    },
    end: (): void => {
      if (drawn) context.io.err('\r\x1b[K');
    },
  };
}

/** Shows a transfer: objects and bytes of the total, rate, time left. */
export function transferProgress(context: Context, remote: string) {
  const started = Date.now();
  let shownAt = started;
  let drawn = false;
  const draw = (text: string): void => {
    drawn = true;
    context.io.err(`\r\x1b[K${text}`);
  };
  return {
    event: (event: TransferEvent): void => {
      if (event.kind === 'retry') {
        if (context.verbose)
          context.say(`${remote}: ${event.reason}; trying again in ${secondsText(event.waitMs / 1000)}`);
        return;
      }
      if (event.kind !== 'progress') return;
      const now = Date.now();
      if (now - shownAt < (drawn ? 200 : 1000)) return;
      shownAt = now;
      const { objects, bytes, totalObjects, totalBytes } = event;
      context.emit({ event: 'progress', objects, bytes, total_objects: totalObjects, total_bytes: totalBytes });
      if (!context.io.live || context.quiet || context.json) return;
      const seconds = (now - started) / 1000;
      const left = bytes > 0 ? `, ${secondsText((seconds * (totalBytes - bytes)) / bytes)} left` : '';
      const rate = `${bytesText(Math.round(bytes / seconds))}/s`;
      draw(
        `${remote}: ${objects} of ${totalObjects} objects, ${bytesText(bytes)} of ${bytesText(totalBytes)}, ${rate}${left}`,
      );
    },
    end: (): void => {
      if (drawn) context.io.err('\r\x1b[K');
    },
  };
}
