// Tables as safetensors: the length of a header, the header, then every array of it as it is.

interface Described { dtype: string; shape: number[]; data_offsets: [number, number] }

const LENGTH = 8; // bytes that tell the header's

/** A row of a matrix of half floats in a table. */
export function rowOfHalves(data: ArrayBuffer, name: string, row: number): number[] {
  const header = Number(new DataView(data).getBigUint64(0, true));
  const { shape: [, width = 0], data_offsets: [start] } = JSON.parse(new TextDecoder().decode(new Uint8Array(data, LENGTH, header)))[name] as Described;
  const halves = new DataView(data, LENGTH + header + start + 2 * row * width, 2 * width);
  return Array.from({ length: width }, (_, n) => half(halves.getUint16(2 * n, true)));
}

/** A float of 16 bits: sign, five of exponent, ten of fraction. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}
