/** Express 5 with its JSON parser and compiled Ajv schemas; ETags and the X-Powered-By header off, as its guide to speed advises. */
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import express from "express";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers, order, pageParameters, userParameters } from "./shared.js";

const coercing = new Ajv({ coerceTypes: true });
const strict = new Ajv();
addFormats.default(strict);
const isOrder = strict.compile(order);
const areUserParameters = coercing.compile(userParameters);
const arePageParameters = coercing.compile(pageParameters);

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.get("/users/:id", (request, response) => {
  const parameters = { ...request.params };
  if (!areUserParameters(parameters)) return response.status(400).json({ errors: areUserParameters.errors });
  response.json(findUser(parameters.id));
});
app.get("/pages/:size/:from", (request, response) => {
  const parameters = { ...request.params };
  if (!arePageParameters(parameters)) return response.status(400).json({ errors: arePageParameters.errors });
  response.json(listUsers(parameters.size, parameters.from));
});
app.post("/orders", express.json(), (request, response) => {
  if (!isOrder(request.body)) return response.status(400).json({ errors: isOrder.errors });
  response.json(acceptOrder(request.body));
});
const server = app.listen(0, "127.0.0.1", () => announce({ port: server.address().port }));
