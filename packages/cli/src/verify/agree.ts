import type { Agreement, BrokenLink, DataAgreement, StageAgreement } from '@dag/engine';
import { type Artifact, type Change, digestHex, joinPath, type ProjectPath, parentPath } from '@dag/model';
import { findPlaces, type Place, type Places, type StagePart } from '@dag/pipeline';
import type { OpenProject } from '../project/open.ts';
import type { RemoteState } from '../project/remote-state.ts';
import { changeJson, changeText } from '../render/change.ts';
import type { Verdict } from './verdict.ts';

/** What was found of locks and workspace, as rows: stages upstream first, data, left-over entries. */
export function agreementVerdicts(project: OpenProject, { stages, data, leftOver }: Agreement): Verdict[] {
  let places: Places | undefined;
  const placesOf = (): Places => (places ??= findPlaces(project.reader));
  return [
    ...stages.map((found) => stageVerdict(found, placesOf)),
    ...data.map((found) => dataVerdict(found, placesOf)),
    ...leftOver.flatMap(({ file, stages: names, data: paths }) => {
      const lock = joinPath(parentPath(file), 'pipeline.lock');
      const gone = (name: string, what: string) => leftOverVerdict(lock, name, `${file} has no such ${what}`);
      return [...names.map((name) => gone(name, 'stage')), ...paths.map((path) => gone(path, 'data'))];
    }),
  ];
}

/** The rows of stages alone. */
export function stageVerdicts(project: OpenProject, found: readonly StageAgreement[]): Verdict[] {
  return agreementVerdicts(project, { stages: found, data: [], leftOver: [] });
}

/** A pipeline.lock that no pipeline.yaml stands beside. */
export function orphanVerdict(lock: ProjectPath): Verdict {
  return leftOverVerdict(lock, lock, 'there is no pipeline.yaml beside it');
}

/** What a remote lacks of what the locks name. */
export function remoteVerdict(path: ProjectPath, state: Exclude<RemoteState, 'deleted'>): Verdict {
  const isHere = state === 'new';
  const reason = isHere
    ? "in the cache, and not in the remote: send it with 'dag push'"
    : 'in neither cache nor remote';
  return {
    kind: 'remote',
    name: path,
    verdict: isHere ? 'not-pushed' : 'missing',
    ok: false,
    reasons: [reason],
    notes: [],
    json: {},
  };
}

function stageVerdict(found: StageAgreement, places: () => Places): Verdict {
  const { stage, verdict, changes, broken, upstream, unknown } = found;
  const ok = verdict === 'agrees' || verdict === 'frozen';
  const reasons = [
    ...changes.map(changeText),
    ...broken.map(brokenText),
    ...(verdict === 'unlocked' ? ['pipeline.lock has no entry for it: it never ran, or that was not committed'] : []),
    ...(upstream.length > 0 ? [`depends on what ${upstream.map((name) => `'${name}'`).join(', ')} makes`] : []),
  ];
  const notes = unknown.map((path) => `${path} was not compared: nothing here tells what is in it`);
  const part = ok ? undefined : partOf(changes, broken);
  return {
    kind: 'stage',
    name: stage.address,
    verdict,
    ok,
    reasons,
    notes,
    place: ok ? lineOf(stage) : (places().stage(stage.address, part) ?? lineOf(stage)),
    json: {
      ...(changes.length === 0 ? {} : { changes: changes.map(changeJson) }),
      ...(broken.length === 0 ? {} : { broken: broken.map(brokenJson) }),
      ...(upstream.length === 0 ? {} : { upstream }),
    },
  };
}

function dataVerdict({ data, verdict, changes }: DataAgreement, places: () => Places): Verdict {
  const ok = verdict === 'agrees';
  const reasons = verdict === 'unlocked' ? ['pipeline.lock has no entry for it'] : changes.map(changeText);
  const place = ok ? lineOf(data) : (places().data(data.path) ?? lineOf(data));
  const json = changes.length === 0 ? {} : { changes: changes.map(changeJson) };
  return { kind: 'data', name: data.path, verdict, ok, reasons, notes: [], place, json };
}

function leftOverVerdict(lock: ProjectPath, name: string, reason: string): Verdict {
  return {
    kind: 'lock',
    name,
    verdict: 'left-over',
    ok: false,
    reasons: [`in ${lock}, and ${reason}`],
    notes: [],
    place: { file: lock },
    json: {},
  };
}

/** What in the definition of a stage is to be looked at: the first that differs and is written there. */
function partOf(changes: readonly Change[], broken: readonly BrokenLink[]): StagePart | undefined {
  for (const change of changes) {
    if (change.changed === 'dep' || change.changed === 'out') return { part: change.changed, path: change.path };
    if (change.changed === 'param') return { part: 'param', key: change.key };
    if (change.changed === 'worker') return { part: 'worker' };
    if (change.changed === 'command') return { part: 'cmd' };
  }
  const [first] = broken;
  return first === undefined ? undefined : { part: 'dep', path: first.path };
}

function brokenText({ path, owner, read, made }: BrokenLink): string {
  const by = 'stage' in owner.by ? `what '${owner.by.stage}' made` : `the data '${owner.by.data}'`;
  if (made === undefined) return `dep ${path} is not in ${by}`;
  if (read === undefined) return `dep ${path} was not there when this stage ran, and is in ${by}`;
  return `dep ${path} is not ${by} (read ${shortDigest(read)}, made ${shortDigest(made)})`;
}

function brokenJson({ path, owner, read, made }: BrokenLink): object {
  return { path, by: owner.by, read: read?.digest, made: made?.digest };
}

function shortDigest({ digest }: Artifact): string {
  return digestHex(digest).slice(0, 8);
}

function lineOf({ file, line }: { readonly file: ProjectPath; readonly line: number }): Place {
  return { file, span: { line, column: 1, length: 1 } };
}
