/**
 * Not a peer but the floor: what the sockets of Node cost when nearly nothing stands on them. Fifteen lines that understand the
 * requests of this benchmark and no others; no limits, no time-outs, no partial requests, no errors. Reads into one static buffer.
 */
import { createServer, Socket } from "node:net";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order } from "./shared.js";

const ajv = new Ajv();
addFormats.default(ajv);
const isOrder = ajv.compile(order);
const buffer = Buffer.allocUnsafe(65_536);

function answer(text) {
  if (text.startsWith("GET /users/")) {
    const id = Number(text.slice(11, text.indexOf(" ", 11)));
    return id === (id | 0) ? ["200 OK", findUser(id)] : ["400 Bad Request", {}];
  }
  if (text.startsWith("GET /pages/")) {
    const [size, from] = text.slice(11, text.indexOf(" ", 11)).split("/").map(Number);
    const right = size === (size | 0) && size >= 1 && size <= 1000 && from === (from | 0) && from >= 0 && from <= 1000;
    return right ? ["200 OK", listUsers(size, from)] : ["400 Bad Request", {}];
  }
  try {
    const body = JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4));
    return isOrder(body) ? ["200 OK", acceptOrder(body)] : ["400 Bad Request", {}];
  } catch {
    return ["400 Bad Request", {}];
  }
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  const handle = accepted._handle;
  accepted._handle = null;
  const callback = (length) => {
    const [status, value] = answer(buffer.latin1Slice(0, length));
    const json = JSON.stringify(value);
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
      "latin1",
    );
    return true;
  };
  const socket = new Socket({ handle, onread: { buffer, callback } });
  socket.on("error", () => socket.destroy());
  socket.resume();
});
server.listen(0, "127.0.0.1", () => announce({ port: server.address().port }));
