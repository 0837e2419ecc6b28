/** One address of pixels and the bytes that they take. */
export type Piece = { address: string; bytes: number };

/**
 * Which pixels may be in memory: those of the exam in hand, and of the next one what still fits. Never a day's worth.
 *
 * Pure: it says what to let go and what to fetch; `Stage` does it.
 */
export class Shelf {
  private inHand = new Map<string, number>();
  private ahead = new Map<string, number>();

  constructor(private readonly budget: number) {}

  /** Another exam is in hand: the addresses to let go. What was fetched ahead and is not of it goes, too. */
  open(pieces: readonly Piece[]): string[] {
    const kept = new Map(pieces.map(({ address, bytes }) => [address, bytes]));
    const gone = [...this.inHand.keys(), ...this.ahead.keys()].filter((address) => !kept.has(address));
    this.inHand = kept;
    this.ahead = new Map();
    return gone;
  }

  /** Of the next exam's pieces, in the order of their worth, those to fetch now: as many as the budget holds. */
  reach(pieces: readonly Piece[]): string[] {
    let left = this.budget - total(this.inHand) - total(this.ahead);
    const fetched: string[] = [];
    for (const { address, bytes } of pieces) {
      if (this.inHand.has(address) || this.ahead.has(address)) continue;
      if (bytes > left) break;
      left -= bytes;
      this.ahead.set(address, bytes);
      fetched.push(address);
    }
    return fetched;
  }

  get bytes(): number {
    return total(this.inHand) + total(this.ahead);
  }
}

const total = (pieces: ReadonlyMap<string, number>): number =>
  [...pieces.values()].reduce((sum, bytes) => sum + bytes, 0);
