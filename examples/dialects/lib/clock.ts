export class Clock {
  hour = 12
}
