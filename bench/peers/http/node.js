/** `node:http` by hand: as little as does the work. Ajv compiled once, JSON.parse and JSON.stringify, a length on each answer. */
import { createServer } from "node:http";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order } from "./shared.js";

const ajv = new Ajv();
addFormats.default(ajv);
const isOrder = ajv.compile(order);
const wholeNumber = /^-?\d{1,10}$/;

const server = createServer((request, response) => {
  const { method, url } = request;
  if (method === "GET" && url.startsWith("/users/")) {
    const text = url.slice(7);
    const id = Number(text);
    if (!wholeNumber.test(text) || id < -2147483648 || id > 2147483647) return send(response, 400, { error: "id" });
    return send(response, 200, findUser(id));
  }
  if (method === "GET" && url.startsWith("/pages/")) {
    const [size, from, more] = url.slice(7).split("/");
    if (more !== undefined || !wholeNumber.test(size) || !wholeNumber.test(from))
      return send(response, 400, { error: "page" });
    if (size < 1 || size > 1000 || from < 0 || from > 1000) return send(response, 400, { error: "page" });
    return send(response, 200, listUsers(Number(size), Number(from)));
  }
  if (method === "POST" && url === "/orders") {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      let body;
      try {
        body = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
      } catch {
        return send(response, 400, { error: "JSON" });
      }
      if (!isOrder(body)) return send(response, 400, { error: isOrder.errors });
      send(response, 200, acceptOrder(body));
    });
    return;
  }
  send(response, 404, { error: "not found" });
});

function send(response, status, value) {
  const text = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

server.listen(0, "127.0.0.1", () => announce({ port: server.address().port }));
