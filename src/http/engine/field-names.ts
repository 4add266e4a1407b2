/** The header fields that the engine reads or looks out for itself, told apart without making a string of any name. */
import { asciiBytes, holdsWord } from "./byte-classes.ts";

export const NONE = 0;
export const HOST = 1;
export const CONNECTION = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
const EXPECT = 5;
export const PROXY_CONNECTION = 6;
export const REQUEST_TIMEOUT = 7;
/** Read by nearly every handler, and most often not there: knowing that saves the search. */
export const REQUEST_ID = 8;

const hostName = asciiBytes("host");
const connectionName = asciiBytes("connection");
const contentLengthName = asciiBytes("content-length");
const transferEncodingName = asciiBytes("transfer-encoding");
const expectName = asciiBytes("expect");
const requestTimeoutName = asciiBytes("request-timeout");
const requestIdName = asciiBytes("x-request-id");
const proxyConnectionName = asciiBytes("proxy-connection");

/** Which of them the name at `at` is. The length decides almost always. */
export function fieldNamed(bytes: Uint8Array, at: number, length: number): number {
  switch (length) {
    case 4:
      return holdsWord(bytes, at, hostName) ? HOST : NONE;
    case 6:
      return holdsWord(bytes, at, expectName) ? EXPECT : NONE;
    case 10:
      return holdsWord(bytes, at, connectionName) ? CONNECTION : NONE;
    case 12:
      return holdsWord(bytes, at, requestIdName) ? REQUEST_ID : NONE;
    case 14:
      return holdsWord(bytes, at, contentLengthName) ? CONTENT_LENGTH : NONE;
    case 15:
      return holdsWord(bytes, at, requestTimeoutName) ? REQUEST_TIMEOUT : NONE;
    case 16:
      return holdsWord(bytes, at, proxyConnectionName) ? PROXY_CONNECTION : NONE;
    case 17:
      return holdsWord(bytes, at, transferEncodingName) ? TRANSFER_ENCODING : NONE;
    default:
      return NONE;
  }
}
