import { columnsOf } from '@dag/pipeline';
import { secondsText } from './units.ts';
import { fitColumns, padColumns } from './width.ts';

/** A stage that runs, as the display shows it. Times in seconds. */
export interface RunningStage {
  readonly name: string;
  readonly elapsed: number;
  /** What it took last time. */
  readonly usual?: number | undefined;
  /** From 0 to 1, where it says how far it is. */
  readonly fraction?: number | undefined;
  /** What it says of itself: with its progress, or the last line that it printed. */
  readonly text?: string | undefined;
}

export interface Totals {
  /** Stages in all. */
  readonly stages: number;
  readonly ran: number;
  readonly restored: number;
  readonly skipped: number;
  readonly failed: number;
  readonly savedSeconds: number;
  readonly secondsLeft: number | undefined;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Rows of the screen that stay free for what scrolls. */
const FREE_ROWS = 4;

/** The lines at the foot of a terminal: running stages, those that are longest at it first, and how far all of it is. */
export function liveFrame(running: readonly RunningStage[], totals: Totals, size: Size): string[] {
  const width = Math.max(1, size.columns - 1);
  const room = Math.max(0, size.rows - FREE_ROWS - 1);
  const shown = running.length <= room ? running : running.slice(0, Math.max(0, room - 1));
  const name = Math.min(Math.floor(width / 3), Math.max(0, ...shown.map((stage) => columnsOf(stage.name))));
  const lines = shown.map((stage) => stageLine(stage, name));
  if (shown.length < running.length && room > 0) lines.push(`  and ${running.length - shown.length} more running`);
  return [...lines, totalsLine(totals)].map((line) => fitColumns(line, width));
}

function stageLine({ name, elapsed, usual, fraction, text }: RunningStage, width: number): string {
  const percent =
    fraction === undefined ? '' : `  ${bar(fraction)} ${String(Math.round(fraction * 100)).padStart(3)} %`;
  const left = secondsLeft(elapsed, usual, fraction);
  const rest = left === undefined ? '' : `, ${secondsText(left)} left`;
  const said = text === undefined || text === '' ? '' : `  ${text}`;
  return `▸ ${padColumns(fitColumns(name, width), width)}  ${secondsText(elapsed)}${rest}${percent}${said}`;
}

/** By its own progress once that says something, else by what it took last time; nothing when it takes longer. */
function secondsLeft(elapsed: number, usual: number | undefined, fraction: number | undefined): number | undefined {
  if (fraction !== undefined && fraction > 0.02) return (elapsed * (1 - fraction)) / fraction;
  return usual !== undefined && usual > elapsed ? usual - elapsed : undefined;
}

function totalsLine({ stages, ran, restored, skipped, failed, savedSeconds, secondsLeft }: Totals): string {
  const counts = [
    [ran, 'ran'],
    [restored, 'restored'],
    [skipped, 'skipped'],
    [failed, 'failed'],
  ] as const;
  const parts = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  const done = ran + restored + skipped + failed;
  if (savedSeconds >= 1) parts.push(`${secondsText(savedSeconds)} saved`);
  if (secondsLeft !== undefined) parts.push(`about ${secondsText(Math.max(1, secondsLeft))} left`);
  return [`  ${done} of ${stages}`, ...parts].join(' · ');
}

function bar(fraction: number): string {
  const full = Math.round(fraction * 10);
  return '█'.repeat(full) + '░'.repeat(10 - full);
}
