/** Compression and encryption of what jobs keep. */
export { beginsSealed, isSealed } from "./envelope.ts";
export type { Encryption } from "./key-ring.ts";
export { openSealing, plainSealing, type Sealing } from "./sealing.ts";
export { sealedSession, whyLocked } from "./sealed-session.ts";
