/** Group and key of the nth value: groups of 100. */
export const place = (n: number): [string, string] => [`group-${Math.floor(n / 100)}`, `key-${n % 100}`]
