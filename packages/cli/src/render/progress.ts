import type { TransferEvent } from '@dag/remote';
import { mendedText } from '@dag/workspace';
import type { Context } from '../verb.ts';
import { bytesText, secondsText } from './units.ts';
import { fitColumns } from './width.ts';

/** What long work reports: files and bytes so far, totals where they are known. */
export interface WorkDone {
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles?: number;
}

/** Shows how far long work is: one line on a terminal, from the first second on; events under --json. */
export function workProgress(context: Context, what: string) {
  const started = Date.now();
  const line = progressLine(context);
  return {
    options: {
      onProgress: ({ files, bytes, totalFiles }: WorkDone): void => {
        if (!line.isDue()) return;
        context.emit({ event: 'progress', what, files, bytes, total_files: totalFiles });
        const seconds = (Date.now() - started) / 1000;
        const rate = `${bytesText(Math.round(bytes / seconds))}/s`;
        const total = totalFiles === undefined ? '' : ` of ${totalFiles}`;
        const left = totalFiles && files > 0 ? `, ${secondsText((seconds * (totalFiles - files)) / files)} left` : '';
        line.draw(`${what}: ${files}${total} files, ${bytesText(bytes)}, ${rate}${left}`);
      },
      /** Says what was mended on the way. */
      onMended: (path: string, quarantined: string | undefined): void => {
        context.emit({ event: 'mended', path, quarantined });
        context.say(`warning: ${mendedText(path, quarantined)}`);
      },
    },
    end: line.end,
  };
}

/** Shows a transfer: objects and bytes of the total, rate, time left. */
export function transferProgress(context: Context, remote: string) {
  const line = progressLine(context);
  const started = Date.now();
  const rate = recentRate(started);
  let moved = 0;
  return {
    event: (event: TransferEvent): void => {
      if (event.kind === 'retry') {
        if (context.verbose)
          context.say(`${remote}: ${event.reason}; trying again in ${secondsText(event.waitMs / 1000)}`);
        return;
      }
      if (event.kind !== 'progress') return;
      const { objects, bytes, totalObjects, totalBytes } = event;
      moved = bytes;
      if (!line.isDue()) return;
      context.emit({ event: 'progress', objects, bytes, total_objects: totalObjects, total_bytes: totalBytes });
      const perSecond = rate(bytes, Date.now());
      // In its first moments, while connections are made, nobody knows.
      const isKnown = perSecond > 0 && Date.now() - started > 2000;
      const left = isKnown ? `, ${secondsText((totalBytes - bytes) / perSecond)} left` : '';
      const of = `${objects} of ${totalObjects} objects, ${bytesText(bytes)} of ${bytesText(totalBytes)}`;
      line.draw(`${remote}: ${of}, ${bytesText(Math.round(perSecond))}/s${left}`);
    },
    /** Bytes that have been moved so far. */
    moved: (): number => moved,
    end: line.end,
  };
}

/** One line on a terminal that is drawn again and again, from the first second on. */
function progressLine(context: Context) {
  let shownAt = Date.now();
  let drawn = false;
  return {
    /** Whether it is time to say something again; true once each time. */
    isDue: (): boolean => {
      const now = Date.now();
      // What was said of a signal stays to be read.
      if (now - shownAt < (drawn ? 200 : 1000) || context.stop.aborted) return false;
      shownAt = now;
      return true;
    },
    draw: (text: string): void => {
      if (!context.io.live || context.quiet || context.json) return;
      drawn = true;
      context.io.err(`\r\x1b[K${fitColumns(text, context.io.terminal.size().columns - 1)}`);
    },
    end: (): void => {
      if (drawn) context.io.err('\r\x1b[K');
    },
  };
}

/** The time, in milliseconds, over which a rate is taken: long enough for pauses, short enough to notice a change. */
const RECENT_MS = 10_000;

/** How fast something grows that began at zero, in bytes a second. */
export function recentRate(started: number): (bytes: number, now: number) => number {
  const seen = [{ bytes: 0, at: started }];
  return (bytes, now) => {
    seen.push({ bytes, at: now });
    while (seen.length > 2 && now - (seen[1]?.at ?? now) >= RECENT_MS) seen.shift();
    const first = seen[0] ?? { bytes, at: now };
    return now > first.at ? (1000 * (bytes - first.bytes)) / (now - first.at) : 0;
  };
}
