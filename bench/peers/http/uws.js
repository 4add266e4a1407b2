/** uWebSockets.js, the C++ server, under Node: its own router, Ajv compiled once, JSON.parse and JSON.stringify. */
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import uws from "@uwsjs/core";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order } from "./shared.js";

const ajv = new Ajv();
addFormats.default(ajv);
const isOrder = ajv.compile(order);
const wholeNumber = /^-?\d{1,10}$/;
const maxBodyBytes = 1024 * 1024;

function send(response, status, value) {
  response.cork(() =>
    response.writeStatus(status).writeHeader("content-type", "application/json").end(JSON.stringify(value)),
  );
}

const app = uws.App();
app.get("/users/:id", (response, request) => {
  const text = request.getParameter(0);
  const id = Number(text);
  if (!wholeNumber.test(text) || id < -2147483648 || id > 2147483647)
    return send(response, "400 Bad Request", { error: "id" });
  send(response, "200 OK", findUser(id));
});
app.get("/pages/:size/:from", (response, request) => {
  const size = request.getParameter(0);
  const from = request.getParameter(1);
  const right =
    wholeNumber.test(size) && wholeNumber.test(from) && size >= 1 && size <= 1000 && from >= 0 && from <= 1000;
  if (!right) return send(response, "400 Bad Request", { error: "page" });
  send(response, "200 OK", listUsers(Number(size), Number(from)));
});
app.post("/orders", (response) => {
  let gone = false;
  let bytes = Buffer.alloc(0);
  response.onAborted(() => (gone = true));
  response.onData((chunk, isLast) => {
    if (gone) return;
    // The chunk is the server's own memory, good only during this call.
    const part = Buffer.from(chunk);
    if (bytes.length + part.length > maxBodyBytes) return response.close();
    bytes = bytes.length === 0 && isLast ? part : Buffer.concat([bytes, part]);
    if (!isLast) return;
    let body;
    try {
      body = JSON.parse(bytes);
    } catch {
      return send(response, "400 Bad Request", { error: "JSON" });
    }
    if (!isOrder(body)) return send(response, "400 Bad Request", { error: isOrder.errors });
    send(response, "200 OK", acceptOrder(body));
  });
});
app.any("/*", (response) => send(response, "404 Not Found", { error: "not found" }));
app.listen("127.0.0.1", 0, (socket) => {
  if (!socket) throw new Error("cannot listen");
  announce({ port: uws.us_socket_local_port(socket) });
});
