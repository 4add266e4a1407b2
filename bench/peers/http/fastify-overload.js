/** Fastify with its usual plugin against overload, at the thresholds of its documentation; its memory limits are below what Node takes idle. */
import underPressure from "@fastify/under-pressure";
import fastify from "fastify";
import { announce } from "../../child.ts";
import { lookUp, render } from "../../overload/work.ts";

const integer = { type: "integer" };
const schema = {
  params: { type: "object", properties: { id: integer }, required: ["id"] },
  response: { 200: { type: "object", properties: { id: integer, mark: integer } } },
};
const app = fastify({ logger: false });
if (process.argv[2] !== "open") {
  await app.register(underPressure, { maxEventLoopDelay: 1000, maxEventLoopUtilization: 0.98 });
}
app.get("/cpu/:id", { schema }, (request, reply) => {
  reply.send(render(request.params.id));
});
app.get("/pool/:id", { schema }, (request) => lookUp(request.params.id));
await app.listen({ port: 0, host: "127.0.0.1" });
announce({ port: app.server.address().port });
