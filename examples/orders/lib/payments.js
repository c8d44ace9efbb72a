// Stands for a payment provider. It declines one magic amount, so that a failure can be seen.
const DECLINED = 13.37

/** Providers charge only once for the same key. */
export async function charge({ key, amount }) {
  if (amount === DECLINED) throw new Error(`the payment of ${amount} was declined`)
  return `receipt-${key}`
}
