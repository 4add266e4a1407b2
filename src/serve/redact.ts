/**
 * What must not reach a log. Tensile never writes bodies, raw queries or headers that nobody chose; this is for what gets in by
 * other ways: a chosen header, the message or the stack of an error that quotes a URL or a credential.
 */
export const redacted = "[redacted]";

/** Headers that are secrets, or hold one. */
const secretHeaders = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-amz-security-token",
]);
const secretName = /token|secret|password|passwd|api[-_]?key|session|signature|credential/i;

export function isSecretName(name: string): boolean {
  return secretHeaders.has(name.toLowerCase()) || secretName.test(name);
}

/** `?token=…`, `password: "…"` and the like: the name stays, the value goes. */
const pairs =
  /\b((?:[\w-]*(?:token|secret|password|passwd|api[-_]?key|session|signature|credential)[\w-]*|sig|code|auth)["']?\s*[=:]\s*["']?)[^\s&"'<>,;)]+/gi;
/** `Bearer …`, `Basic …`, `DPoP …`, wherever they stand. */
const schemes = /\b(Bearer|Basic|DPoP)\s+[\w.~+/=-]{6,}/gi;
/** Of `scheme://user:password@host`. */
const userInfo = /(\b[a-z][a-z\d+.-]{0,20}:\/\/)[^\s/@:]*:[^\s/@]*@/gi;

/** A text with what looks like a secret cut out. Better one too many than one too few. */
export function redactText(text: string): string {
  return text
    .replaceAll(userInfo, `$1${redacted}@`)
    .replaceAll(schemes, `$1 ${redacted}`)
    .replaceAll(pairs, `$1${redacted}`);
}
