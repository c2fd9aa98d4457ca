/** Tells of checkpoints that could not be saved: of a row of them with one reason the first, and at its end how long it was. */
export interface Unsaved {
  lost(step: number, reason: string): void;
  /** One is saved again. */
  saved(): void;
  /** The stage has ended. */
  end(): void;
}

interface Row {
  readonly kind: string;
  /** How many came after the first. */
  more: number;
  last: number;
}

/** @param warn given a message and a hint. */
export function tellUnsaved(stage: string, warn: (message: string, hint: string) => void): Unsaved {
  let row: Row | undefined;
  const end = (hint: string): void => {
    if (row !== undefined && row.more > 0) {
      const which = row.more === 1 ? `step ${row.last}` : `the ${row.more} after it, up to step ${row.last},`;
      warn(`stage '${stage}' could not save ${which} either`, hint);
    }
    row = undefined;
  };
  return {
    lost: (step, reason) => {
      // ENOSPC is one reason, whichever call it was that met it.
      const kind = /^E[A-Z]+(?=:)/.exec(reason)?.[0] ?? reason;
      if (row?.kind === kind) {
        row.more++;
        row.last = step;
        return;
      }
      end('it goes on');
      row = { kind, more: 0, last: step };
      warn(`stage '${stage}' could not save step ${step}: ${reason}`, 'it goes on; what was saved before is as it was');
    },
    saved: () => end('its checkpoints are saved again'),
    end: () => end('it would go on from what was saved before'),
  };
}
