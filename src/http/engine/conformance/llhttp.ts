/**
 * The reference: Node's own HTTP/1 server with its strict parser (llhttp), through its public door. The bytes are handed to a
 * real `http.Server` on an in-memory stream, which Node documents for this use (the `connection` event).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import type { RequestRecord } from "./record.ts";

/** A server that records. Its own limits are far above the engine's, so that it never refuses for size. */
export function createReference(): { read(bytes: Buffer): Promise<RequestRecord[]> } {
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: 1 << 20,
    requireHostHeader: false,
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 0,
  });
  server.maxHeadersCount = 0;
  // Without a listener Node would destroy the socket, and with it the requests before the broken one.
  server.on("clientError", () => undefined);
  return { read: (bytes) => read(server, bytes) };
}

async function read(server: Server, bytes: Buffer): Promise<RequestRecord[]> {
  const records: RequestRecord[] = [];
  let events = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.socket !== socket) return;
    events++;
    const pieces: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      events++;
      const body = Buffer.concat(pieces).toString("latin1");
      if (request.complete)
        records.push({
          method: request.method ?? "",
          target: request.url ?? "",
          headers: lowerNames(request.rawHeaders),
          body,
        });
      response.end();
    });
  };
  const socket = new Duplex({
    allowHalfOpen: true,
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      events++;
      done();
    },
  });
  socket.on("error", () => undefined);
  const kinds = ["request", "checkContinue", "checkExpectation"] as const;
  for (const kind of kinds) server.on(kind, onRequest);
  server.emit("connection", socket);
  socket.push(bytes);
  // Everything happens in memory, so when two rounds of the loop bring nothing new, nothing will come.
  for (let before = -1, quiet = 0; quiet < 2;) {
    await new Promise((resolve) => setImmediate(resolve));
    quiet = events === before ? quiet + 1 : 0;
    before = events;
  }
  for (const kind of kinds) server.removeListener(kind, onRequest);
  socket.destroy();
  return records;
}

function lowerNames(raw: readonly string[]): string[] {
  return raw.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
}
