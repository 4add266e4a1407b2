/** What a 401 says about how to authenticate (RFC 9110 section 11.6.1: at least one challenge). */

/** Where an `authenticate` does not say. */
export const defaultChallenges: readonly string[] = ["Bearer"];

/** A scheme, alone or with parameters (RFC 9110 section 11.3), all of it printable ASCII. */
const challengePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?: [\x20-\x7e]+)?$/;

/** @throws TypeError for no challenges, or one that is none. */
export function checkChallenges(contractName: string, challenges: readonly string[] | undefined): void {
  if (challenges === undefined) return;
  if (!Array.isArray(challenges) || challenges.length === 0)
    throw new TypeError(
      `implement("${contractName}"): authenticate.challenges names at least one, such as ["Bearer"], because every 401 must.`,
    );
  for (const one of challenges as readonly unknown[]) {
    if (typeof one !== "string" || !challengePattern.test(one))
      throw new TypeError(
        `implement("${contractName}"): ${JSON.stringify(one)} in authenticate.challenges is no challenge, such as 'Bearer' or 'Bearer realm="atlas"'.`,
      );
  }
}
