// A stream whose config is empty.
export const config = {}
