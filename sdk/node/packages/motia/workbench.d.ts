// The components of the Workbench that custom nodes use. `any` stands for React's types, which a project may lack.

interface NodeData {
  type: string
  name: string
  description?: string
  subscribes?: string[]
  emits?: any[]
  virtualEmits?: any[]
  virtualSubscribes?: string[]
  language?: string
  webhookUrl?: string
  cron?: string
  cronExpression?: string
  bodySchema?: any
  [field: string]: any
}

interface NodeProps<TData = NodeData> {
  data: TData
  children?: any
  className?: string
  [prop: string]: any
}

export type BaseNodeProps = Partial<NodeProps>
export type ApiNodeProps = NodeProps
export type EventNodeProps = NodeProps
export type CronNodeProps = NodeProps
export type NoopNodeProps = NodeProps

type Component<TProps> = (props: TProps) => any

export declare const BaseNode: Component<BaseNodeProps>
export declare const ApiNode: Component<ApiNodeProps>
export declare const EventNode: Component<EventNodeProps>
export declare const CronNode: Component<CronNodeProps>
export declare const NoopNode: Component<NoopNodeProps>
export declare const BaseHandle: Component<{
  type: 'source' | 'target'
  position: Position
  isHidden?: boolean
  [prop: string]: any
}>

export declare enum Position {
  Left = 'left',
  Top = 'top',
  Right = 'right',
  Bottom = 'bottom',
}
