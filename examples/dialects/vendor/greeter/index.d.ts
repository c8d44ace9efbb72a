declare function greet(name: string): string
declare namespace greet {
  export { greet as default }
}
export default greet
export declare function shout(name: string): string
