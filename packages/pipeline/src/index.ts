export { readValues } from './data/read.ts';
export { keyText, toValue } from './data/value.ts';
export { nearest } from './diagnostic/nearest.ts';
export { renderDiagnostic, styleDiagnostic } from './diagnostic/render.ts';
export { columnsOf } from './diagnostic/width.ts';
export { addDataText, type DataDefinition, removeDataText, renameDataText } from './edit/data.ts';
export { type RemoteDefinition, removeRemoteText, setDefaultRemoteText, setRemoteText } from './edit/remote.ts';
export {
  addStageText,
  type OutDefinition,
  removeStageText,
  type StageDefinition,
  setFrozenText,
} from './edit/stage.ts';
export { addPathsText, type ChangedLines, changedLines } from './edit/stage-paths.ts';
export { expandGlob, globTest } from './graph/glob.ts';
export { pipelineJsonSchema } from './language/json-schema.ts';
export { loadPipeline } from './load.ts';
export {
  type DataConflict,
  type DataMerge,
  type MergedLock,
  mergeLocks,
  renderMerged,
  splitConflicts,
} from './lock/merge.ts';
export { parseLock } from './lock/parse.ts';
export { renderLock } from './lock/render.ts';
export {
  type MissingParam,
  type ParamFiles,
  type ParamsRead,
  paramFiles,
  paramKeys,
  readParams,
} from './params/read.ts';
export * from './pipeline.ts';
export { findPlaces, type Place, type Places, type StagePart } from './places.ts';
export { saysRoot } from './project/walk.ts';
export { namePattern } from './select/name-pattern.ts';
export { type SelectOptions, selectStages } from './select/stages.ts';
export { resolveTarget, type TargetFound } from './select/target.ts';
export { formatFloat } from './template/format.ts';
export type { MapNode, Node, Scalar, ScalarNode } from './yaml/node.ts';
