/**
 * What a name is searched by: "São Paulo", "sao paulo" and "SAO  PAULO" fold to the same text. Names and queries go through the
 * same function, so that an index can answer.
 */

/** Letters that Unicode does not take apart into a base letter and a mark, and the sigma that ends a word. */
const spelled = new Map([
  ["ß", "ss"],
  ["æ", "ae"],
  ["œ", "oe"],
  ["ø", "o"],
  ["đ", "d"],
  ["ð", "d"],
  ["þ", "th"],
  ["ł", "l"],
  ["ħ", "h"],
  ["ı", "i"],
  ["ə", "e"],
  ["ς", "σ"],
]);

/** Lower case, without accents and apostrophes, single spaces. */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\p{M}'’‘ʻʼ`]/gu, "")
    .replace(/[ßæœøđðþłħıəς]/g, (letter) => spelled.get(letter) ?? letter)
    .replace(/\s+/g, " ")
    .trimStart();
}
