// TypeScript's form of a CommonJS export.
class Ledger {
  entries: number[] = []
  total = () => this.entries.reduce((sum, entry) => sum + entry, 0)
}

export = Ledger
