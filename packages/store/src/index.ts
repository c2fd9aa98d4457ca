export { checkPart } from './check.ts';
export {
  fsyncFile,
  fsyncFolder,
  isLeftOver,
  listNames,
  makeFolder,
  removeFile,
  sweepTemps,
  writeFileDurable,
  writeNewFile,
} from './durable.ts';
export { addEvidence, type Evidence, isBrief, noEvidence } from './evidence.ts';
export { ioFailure, isErrno, ObjectDamaged, ObjectMissing, shortName, withIo } from './failure.ts';
export * from './hash.ts';
export { digestAt, HashSet, hashOf } from './hash-set.ts';
export { type Collector, type Hold, holding } from './in-use.ts';
export { artifactInside } from './inside.ts';
export { LargeFile, WRITE_BEHIND } from './large-file.ts';
export { type Layout, layoutOf, loosePath, OBJECT_MODE, SMALL_LIMIT } from './layout.ts';
export { linkLoose, publishLoose } from './loose.ts';
export { type Owner, ownerOf, ownerState, ownerWithPid, tempName, thisOwner } from './owner.ts';
export { FANOUT_SIZE, type Index, indexOf, isSoundFanout, searchIndex } from './pack/format.ts';
export type { SharedIndex } from './pack/read.ts';
export type { PartialObject } from './partial.ts';
export { decodeRunRecord, encodeRunRecord } from './run-json.ts';
export { dropStaged, type Staging } from './staging.ts';
export { STAT_COLUMNS, StatColumns } from './stat-cache/columns.ts';
export { tellsOfNames } from './stat-cache/file-system.ts';
export { EXECUTABLE, type FolderRecord, type FolderTimes, KNOWN } from './stat-cache/folder.ts';
export * from './stat-cache/open.ts';
export { isListingSettled, isPast, isSettled, nowNs, settledTime } from './stat-cache/racy.ts';
export { type FileStats, sameStats } from './stat-cache/record.ts';
export { openStore } from './store.ts';
export * from './types.ts';
