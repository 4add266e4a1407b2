/** Certificates for tests: a root of its own, and what it signs. Made in memory, good for this run. */
import { generate } from "selfsigned";

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for `localhost` and 127.0.0.1, which is its own root. */
export async function testCertificate(
  name = "localhost",
  dates: { readonly notAfterDate?: Date } = {},
): Promise<TestCertificate> {
  const made = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    ...(dates.notAfterDate !== undefined && { ...dates, notBeforeDate: new Date(Date.UTC(2020, 0, 1)) }),
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}
