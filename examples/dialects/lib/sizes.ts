export const enum Size {
  Small = 1,
  Large = Small << 3,
}

export enum Colour {
  Red = 'red',
}
