import type { Artifact, Diagnostic, ProjectPath, TrackedData } from '@dag/model';

// Why tracked data and its entry in pipeline.lock could not be brought together, in words.

export type Said = Pick<Diagnostic, 'message' | 'hint'>;

export function partOnly({ path }: TrackedData, isRefused: boolean): Said {
  const message = `of the tracked data '${path}' only a part is here, and the cache lacks`;
  return isRefused
    ? {
        message: `${message} what was changed in it`,
        hint: `if it is to be as it is here, record it with 'dag add ${path}'; or give that up with 'dag checkout -f ${path}'`,
      }
    : {
        message: `${message} the rest`,
        hint: `get it with 'dag pull ${path}'; or, if this part is all that it is to be, record it with 'dag add ${path}'`,
      };
}

export function notFollowed({ path }: TrackedData, isRefused: boolean, isHalfPlaced: boolean): Said {
  const state = isHalfPlaced
    ? `tracked data '${path}' was being put in place when that ended early`
    : `tracked data '${path}' is as it was before git changed pipeline.lock`;
  const message = `${state}, and the cache lacks`;
  const stays = `if it is to stay as it is, record it with 'dag add ${path}'`;
  return isRefused
    ? { message: `${message} what stands here`, hint: `${stays}; or give it up with 'dag checkout -f ${path}'` }
    : { message: `${message} what pipeline.lock names`, hint: `get it with 'dag pull ${path}'; or, ${stays}` };
}

export function lockChangedToo(path: ProjectPath): Said {
  return {
    message: `'${path}' was changed here, and pipeline.lock had been changed too: what is here is recorded over that`,
    hint: `to have the other instead: 'git checkout pipeline.lock', then 'dag checkout ${path}'`,
  };
}

export function missingData(entry: TrackedData, locked: Artifact | undefined): Said {
  return {
    message: `tracked data '${entry.path}' is not there${locked === undefined ? '' : ', and the cache lacks it too'}`,
    hint:
      locked === undefined
        ? `put it there, or take it out of ${entry.file} with 'dag remove ${entry.path}'`
        : "get it with 'dag pull', or run 'dag repro --pull'",
  };
}
