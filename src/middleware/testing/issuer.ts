/** An issuer of tokens for tests: real keys, a real HTTP server that can stall, lie, and change its keys. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT, exportJWK, generateKeyPair, type JWK } from "jose";

export interface Issuer {
  readonly url: string;
  readonly jwks: string;
  /** Requests for the key set so far. */
  readonly asked: number;
  /** In place of the key set. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** Makes a new key the one that signs; the old ones stay in the set unless `drop`. */
  rotate(drop?: boolean): Promise<void>;
  sign(
    claims: { readonly [name: string]: unknown },
    header?: { typ?: string; alg?: string; kid?: string },
  ): Promise<string>;
  publicKeys(): readonly JWK[];
  close(): void;
}

export async function startIssuer(now: () => number, algorithm = "ES256"): Promise<Issuer> {
  let count = 0;
  let asked = 0;
  let keys: { readonly kid: string; readonly privateKey: CryptoKey; readonly jwk: JWK }[] = [];
  const rotate = async (drop = false): Promise<void> => {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    const kid = `key-${++count}`;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid, use: "sig", alg: algorithm };
    keys = [{ kid, privateKey: pair.privateKey, jwk }, ...(drop ? [] : keys)];
  };
  await rotate();
  const server: Server = createServer((_, response) => {
    asked++;
    if (issuer.answer !== undefined) return issuer.answer(response);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = {
    url,
    jwks: `${url}/jwks.json`,
    get asked() {
      return asked;
    },
    answer: undefined,
    rotate,
    sign(claims, header = {}) {
      const [newest] = keys as [(typeof keys)[number]];
      const seconds = Math.floor(now() / 1000);
      return new SignJWT({ iss: url, aud: "atlas", sub: "ann", iat: seconds, exp: seconds + 300, ...claims })
        .setProtectedHeader({ alg: algorithm, kid: newest.kid, typ: "at+jwt", ...header })
        .sign(newest.privateKey);
    },
    publicKeys: () => keys.map(({ jwk }) => jwk),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return issuer;
}
