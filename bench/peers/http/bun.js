/** Bun's own server by hand, the counterpart of node.js: its router, compiled Ajv, `Response.json`. Run by Bun, not by Node. */
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order, pageParameters, userParameters } from "./shared.js";

const coercing = new Ajv({ coerceTypes: true });
const strict = new Ajv();
addFormats.default(strict);
const isOrder = strict.compile(order);
const areUserParameters = coercing.compile(userParameters);
const arePageParameters = coercing.compile(pageParameters);
const refuse = (error) => Response.json({ error }, { status: 400 });

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  development: false,
  routes: {
    "/users/:id": {
      GET(request) {
        const parameters = { ...request.params };
        return areUserParameters(parameters) ? Response.json(findUser(parameters.id)) : refuse("id");
      },
    },
    "/pages/:size/:from": {
      GET(request) {
        const parameters = { ...request.params };
        if (!arePageParameters(parameters)) return refuse("page");
        return Response.json(listUsers(parameters.size, parameters.from));
      },
    },
    "/orders": {
      async POST(request) {
        let body;
        try {
          body = await request.json();
        } catch {
          return refuse("JSON");
        }
        return isOrder(body) ? Response.json(acceptOrder(body)) : refuse(isOrder.errors);
      },
    },
  },
  fetch: () => Response.json({ error: "not found" }, { status: 404 }),
});
announce({ port: server.port });
