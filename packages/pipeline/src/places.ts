import type { AnyPath, Diagnostic, ProjectPath, StageAddress } from '@dag/model';
import { newReport } from './diagnostic/report.ts';
import { locate, type Source } from './diagnostic/source.ts';
import { readFiles } from './load.ts';
import type { SourceReader } from './pipeline.ts';
import type { Draft } from './stage/draft.ts';
import { findEntry, findValue, type MapNode, type Node, type Range } from './yaml/node.ts';

/** A place in a file of the user's, for pointing at. */
export type Place = Pick<Diagnostic, 'file' | 'span' | 'sourceLine'>;

/** What of a stage is to be pointed at. */
export type StagePart =
  | { readonly part: 'dep' | 'out'; readonly path: AnyPath; readonly pattern?: string | undefined }
  | { readonly part: 'param'; readonly key: string | undefined }
  | { readonly part: 'wdir' | 'worker' | 'cmd' };

/** Where what the files say stands in them. */
export interface Places {
  /** A part of a stage, or else its name. Undefined for a stage that is not there. */
  stage(address: StageAddress, part?: StagePart): Place | undefined;
  /** An entry of `data:`. */
  data(path: ProjectPath): Place | undefined;
}

/** Finds places in the files of a project. Reads them all anew: made for messages, once something is wrong. */
export function findPlaces(reader: SourceReader): Places {
  const contents = [...readFiles(reader, {}, newReport()).contents.values()];
  const drafts = new Map(contents.flatMap((one) => one.drafts).map((draft) => [draft.stage.address, draft]));
  const data = new Map(contents.flatMap((one) => one.data).map((entry) => [entry.data.path, entry]));
  return {
    stage(address, part) {
      const draft = drafts.get(address);
      return draft && placeAt(draft.source, (part && partOf(draft, part)) ?? draft.at);
    },
    data(path) {
      const entry = data.get(path);
      return entry && placeAt(entry.source, entry.at);
    },
  };
}

function placeAt(source: Source, at: Range): Place {
  return { file: source.file, ...locate(source, at) };
}

function partOf(draft: Draft, part: StagePart): Range | undefined {
  const { definition } = draft;
  switch (part.part) {
    case 'out':
      return draft.outPlaces[draft.stage.outs.findIndex((out) => out.path === part.path)];
    case 'dep': {
      const found = draft.deps.find((dep) =>
        dep.kind === 'pattern' && part.pattern !== undefined
          ? dep.pattern === part.pattern
          : dep.kind !== 'stage' && dep.dep.path === part.path,
      );
      return found?.at ?? findEntry(definition, 'deps')?.key;
    }
    case 'param':
      return paramOf(definition, part.key) ?? findEntry(definition, 'params')?.key;
    default:
      return findValue(definition, part.part);
  }
}

/** A key in `params:`, whichever file it is of. */
function paramOf(definition: MapNode, key: string | undefined): Node | undefined {
  const list = findValue(definition, 'params');
  if (list?.kind !== 'seq' || key === undefined) return undefined;
  const keys = list.items.flatMap((item) =>
    item.kind === 'map' ? item.entries.flatMap(({ value }) => (value.kind === 'seq' ? value.items : [])) : [item],
  );
  return keys.find((node) => node.kind === 'scalar' && String(node.value) === key);
}
