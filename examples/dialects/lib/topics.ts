export enum Topic {
  Noted = 'dialects.noted',
  Countdown = 'dialects:countdown',
}

export enum Path {
  Enum = '/typescript/enum',
}
