import type { Workspace, WorkspaceOptions } from './types.ts';
export * from './types.ts';
export declare function openWorkspace(options: WorkspaceOptions): Workspace;
