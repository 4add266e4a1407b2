/**
 * Fastify as its documentation advises for speed: JSON Schemas for what comes in and what goes out, logging off. Two Ajv
 * instances, because parameters are text that must be coerced and a body must not be: `"2"` is no number there.
 */
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import fastify from "fastify";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order, page, pageParameters, receipt, user, userParameters } from "./shared.js";

const coercing = new Ajv({ coerceTypes: true });
const strict = new Ajv();
addFormats.default(strict);

const app = fastify({ logger: false });
app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === "body" ? strict : coercing).compile(schema));
app.get("/users/:id", { schema: { params: userParameters, response: { 200: user } } }, (request, reply) => {
  reply.send(findUser(request.params.id));
});
app.get(
  "/pages/:size/:from",
  { schema: { params: pageParameters, response: { 200: page } } },
  (request, reply) => {
    reply.send(listUsers(request.params.size, request.params.from));
  },
);
app.post("/orders", { schema: { body: order, response: { 200: receipt } } }, (request, reply) => {
  reply.send(acceptOrder(request.body));
});
await app.listen({ port: 0, host: "127.0.0.1" });
announce({ port: app.server.address().port });
