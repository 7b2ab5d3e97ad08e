// A small generator of pseudo-random numbers: the same seed gives the same chart on every machine.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  // In [0, 2^32): a Weyl sequence through two rounds of xor, shift and multiply.
  next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  }

  below(limit) {
    return this.next() % limit;
  }

  chance(probability) {
    return this.next() < probability * 4294967296;
  }

  pick(items) {
    return items[this.below(items.length)];
  }

  list(count, make) {
    return Array.from({ length: count }, (_, i) => make(i));
  }

  // Keys of `table` by their weights.
  weighted(table) {
    const entries = Object.entries(table);
    let at = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [key, weight] of entries) {
      if (at < weight) return key;
      at -= weight;
    }
    return entries[0][0];
  }
}
