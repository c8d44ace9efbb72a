import workbench from './workbench.cjs'

export const { ApiNode, EventNode, CronNode, NoopNode, BaseNode, BaseHandle, Position } = workbench
