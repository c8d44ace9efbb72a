// What `.tsx` files beside steps import. The Workbench draws them; no worker does, so the components draw nothing here.
'use strict'

const nothing = () => null

module.exports = {
  ApiNode: nothing,
  EventNode: nothing,
  CronNode: nothing,
  NoopNode: nothing,
  BaseNode: nothing,
  BaseHandle: nothing,
  Position: { Left: 'left', Top: 'top', Right: 'right', Bottom: 'bottom' },
}
