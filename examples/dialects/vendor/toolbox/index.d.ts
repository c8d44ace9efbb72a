declare const tools: {
  double(n: number): number
  triple(n: number): number
}
export = tools
