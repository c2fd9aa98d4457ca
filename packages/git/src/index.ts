export { locksOf, type RevisionLock } from './locks.ts';
export { openRepository, withoutRepository } from './open.ts';
export { preloadRevisions, type RevisionReader, revisionReader } from './reader.ts';
export type { CommitId, Repository } from './repository.ts';
