// Orders, kept in the state that all steps share.
const GROUP = 'orders'

export const orders = (state) => ({
  get: (id) => state.get(GROUP, id),
  all: () => state.getGroup(GROUP),
  save: (order) => state.set(GROUP, order.id, order),
})
