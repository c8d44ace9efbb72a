// A step that never runs: it stands for something outside, such as a person who approves.
import { NoopConfig } from 'motia'

export const config: NoopConfig = {
  type: 'noop',
  name: 'Noop',
  description: 'Somebody reads the notes',
  virtualSubscribes: ['dialects.noted'],
  virtualEmits: [{ topic: 'dialects.read', label: 'by and by' }],
  flows: ['dialects'],
}
