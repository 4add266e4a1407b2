/**
 * What every system of the `http` benchmark is asked: the requests that are measured, with the one right answer to each, and
 * requests that each must refuse, so that nobody is fast by not validating.
 */
import type { LoadRequest } from "../load.ts";

export interface Case {
  readonly name: string;
  readonly text: string;
  /** Sent in turn. */
  readonly requests: readonly LoadRequest[];
  /** Each must be answered with a 4xx. */
  readonly refused: readonly { readonly what: string; readonly text: string }[];
}

const json = "application/json";
const plainHeaders = "Host: 127.0.0.1\r\nAccept: */*\r\n";

/** What a browser sends along, 10 headers of about 600 bytes. */
const browserHeaders = [
  "Host: api.example.com",
  "User-Agent: Mozilla/5.0 (X11; Linux x64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Accept: application/json, text/plain, */*",
  "Accept-Language: en-GB,en;q=0.8,de-DE;q=0.5,de;q=0.3",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://app.example.com/users?page=3&sort=name",
  "Origin: https://app.example.com",
  "Authorization: Bearer 8c1f0d2b7a6e4f53b19d9e0c6a7f2e41d3b5a8c7",
  "Cookie: session=4f3c2b1a0d9e8f7a6b5c4d3e2f1a0b9c; theme=dark; consent=1; _ga=GA1.2.1234567890.1699999999",
  "Sec-Fetch-Mode: cors",
].join("\r\n");

const get = (path: string, headers = plainHeaders): string => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;
const post = (path: string, body: string, type = json): string =>
  `POST ${path} HTTP/1.1\r\n${plainHeaders}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const userBody = (id: number): string => JSON.stringify({ id, name: `User ${id}`, email: `user${id}@example.com` });
const ids = Array.from({ length: 64 }, (_, i) => 1_000_000 + i * 7919);
const userRequests = (headers?: string): LoadRequest[] =>
  ids.map((id) => ({
    text: get(`/users/${id}`, headers),
    expect: { status: 200, body: userBody(id), contentType: json },
  }));

/** Pages of as many users as make about so many bytes, beginning at 64 places of the list. */
const pageRequests = (size: number): LoadRequest[] =>
  ids.map((_, i) => {
    const from = 1 + i * 13;
    const users = Array.from({ length: size }, (_user, at) => userBody(1_000_000 + from + at));
    const body = `{"from":${from},"users":[${users.join(",")}]}`;
    return { text: get(`/pages/${size}/${from}`), expect: { status: 200, body, contentType: json } };
  });

const badPages = ["0/1", "1001/1", "-5/1", "15/-1", "15/1001", "15/1.5", "abc/1", "15/abc", "15"].map((page) => ({
  what: `the page ${page}`,
  text: get(`/pages/${page}`),
}));

const badIds = ["abc", "1.5", "4000000000", "-4000000000", "0x10x", "1;2", "true", "1_000"];

interface Order {
  customer: { name: string; email: string; address: { street: string; city: string; zip: string } };
  items: { sku: string; quantity: number; price: number }[];
  note?: string;
  express: boolean;
}

/** About 300 bytes as JSON: a nested object, an array of three items. */
function order(i: number): Order {
  return {
    customer: {
      name: "Grace Hopper",
      email: `grace${i}@example.com`,
      address: { street: "1701 Arlington Way", city: "Arlington", zip: String(22000 + i) },
    },
    items: [
      { sku: "AB-1001", quantity: 1 + (i % 9), price: 19.5 },
      { sku: "CD-2002", quantity: 3, price: 4.25 },
      { sku: "EF-3003", quantity: 12, price: 0.75 },
    ],
    note: "Leave it at the door, please",
    express: i % 2 === 0,
  };
}

/** About 150 bytes: what each server computes from an order. */
function receipt({ customer, items, express }: Order): string {
  return JSON.stringify({
    status: "accepted",
    customer: customer.email,
    city: customer.address.city,
    lines: items.length,
    quantity: items.reduce((sum, { quantity }) => sum + quantity, 0),
    total: items.reduce((sum, { quantity, price }) => sum + quantity * price, 0),
    currency: "EUR",
    express,
  });
}

const orders = Array.from({ length: 64 }, (_, i) => order(i));

/** Orders with one thing wrong each. */
function badOrders(): { what: string; text: string }[] {
  const spoilt = (what: string, spoil: (body: ReturnType<typeof loose>) => void): { what: string; text: string } => {
    const body = loose();
    spoil(body);
    return { what, text: post("/orders", JSON.stringify(body)) };
  };
  const loose = (): Record<string, unknown> & {
    customer: Record<string, unknown> & { address: Record<string, unknown> };
    items: Record<string, unknown>[];
  } => structuredClone(order(1)) as never;
  const item = (body: ReturnType<typeof loose>, i: number): Record<string, unknown> => body.items[i] ?? {};
  return [
    spoilt("a missing field", (body) => delete body.customer["email"]),
    spoilt("a missing nested field", (body) => delete body.customer.address["zip"]),
    spoilt("a text where a number belongs", (body) => (item(body, 0)["quantity"] = "2")),
    spoilt("a fraction where a whole number belongs", (body) => (item(body, 0)["quantity"] = 1.5)),
    spoilt("a number above its maximum", (body) => (item(body, 1)["quantity"] = 1001)),
    spoilt("a negative price", (body) => (item(body, 2)["price"] = -1)),
    spoilt("a text that does not match its pattern", (body) => (item(body, 0)["sku"] = "ab-1001")),
    spoilt("a text that is too long", (body) => (body["note"] = "x".repeat(201))),
    spoilt("an address that is no e-mail address", (body) => (body.customer["email"] = "grace")),
    spoilt("an empty list", (body) => void (body.items = [])),
    spoilt("a number where a boolean belongs", (body) => (body["express"] = 1)),
    spoilt("null where an object belongs", (body) => (body["customer"] = null as never)),
    spoilt("an unknown field", (body) => (body["admin"] = true)),
    spoilt("an unknown nested field", (body) => (body.customer.address["planet"] = "Mars")),
    { what: "text that is not JSON", text: post("/orders", '{"customer":') },
    { what: "a list where an object belongs", text: post("/orders", "[]") },
    { what: "an empty body", text: post("/orders", "") },
  ];
}

export const cases: readonly Case[] = [
  {
    name: "get",
    text: "GET /users/{id}: an int32 parameter, about 60 bytes of JSON in answer",
    requests: userRequests(),
    refused: badIds.map((id) => ({ what: `the id ${id}`, text: get(`/users/${id}`) })),
  },
  {
    name: "get-headers",
    text: "the same with the 10 headers that a browser sends",
    requests: userRequests(`${browserHeaders}\r\n`),
    refused: badIds.map((id) => ({ what: `the id ${id}`, text: get(`/users/${id}`, `${browserHeaders}\r\n`) })),
  },
  {
    name: "post",
    text: "POST /orders: 300 bytes of nested JSON validated, 150 bytes of JSON serialized in answer",
    requests: orders.map((body) => ({
      text: post("/orders", JSON.stringify(body)),
      expect: { status: 200, body: receipt(body), contentType: json },
    })),
    refused: badOrders(),
  },
  {
    name: "get-1k",
    text: "GET /pages/{size}/{from}: two int32 parameters with bounds, 1 KiB of JSON in answer, a list of 14 objects",
    requests: pageRequests(14),
    refused: badPages,
  },
  {
    name: "get-64k",
    text: "the same with 64 KiB in answer, a list of 923 objects",
    requests: pageRequests(923),
    refused: badPages,
  },
];
