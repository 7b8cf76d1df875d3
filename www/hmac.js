/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of Uint8Arrays: browsers offer their own on https:// pages only. */

const START = []; // the fractional parts of the square roots of the first 8 primes,
const ROUNDS = []; // and of the cube roots of the first 64

for (let number = 2; ROUNDS.length < 64; number++) {
  let divisor = 2;
  while (number % divisor) divisor++;
  if (divisor < number) continue;
  const bits = (power) => ((number ** power % 1) * 2 ** 32) | 0;
  if (START.length < 8) START.push(bits(1 / 2));
  ROUNDS.push(bits(1 / 3));
}

const turn = (word, ...counts) => counts.reduce((all, count) => all ^ (word >>> count | word << 32 - count), 0);

export function sha256(data) {
  const padded = new Uint8Array((data.length + 72) & ~63);
  padded.set(data);
  padded[data.length] = 128;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, data.length / 2 ** 29);
  view.setUint32(padded.length - 4, data.length * 8);
  const state = [...START];
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    let [a, b, c, d, e, f, g, h] = state;
    for (let round = 0; round < 64; round++) {
      if (round < 16) words[round] = view.getInt32(at + 4 * round);
      else {
        const early = words[round - 15];
        const late = words[round - 2];
        words[round] = words[round - 16] + words[round - 7] + (turn(early, 7, 18) ^ early >>> 3) + (turn(late, 17, 19) ^ late >>> 10);
      }
      const one = h + turn(e, 6, 11, 25) + (e & f ^ ~e & g) + ROUNDS[round] + words[round];
      const two = turn(a, 2, 13, 22) + (a & b ^ a & c ^ b & c);
      [a, b, c, d, e, f, g, h] = [one + two | 0, a, b, c, d + one | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, index) => { state[index] = state[index] + word | 0; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setInt32(4 * index, word));
  return new Uint8Array(digest.buffer);
}

/* key: at most 64 bytes, as the admin's password. */
export function hmac(key, data) {
  const block = new Uint8Array(64);
  block.set(key);
  const joined = (mask, rest) => new Uint8Array([...block.map((byte) => byte ^ mask), ...rest]);
  return sha256(joined(0x5c, sha256(joined(0x36, data))));
}

export function hex(data) {
  return [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
