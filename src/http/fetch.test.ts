import assert from "node:assert/strict";
import { test } from "node:test";
import type { MaybePromise } from "../core/index.ts";
import { HeaderBlock, createFetch, type HttpRequest, type HttpResponse } from "./index.ts";

function answering(
  answer: (request: HttpRequest) => MaybePromise<HttpResponse>,
): (request: Request) => Promise<Response> {
  return createFetch(answer);
}

async function bodyCode(request: HttpRequest, limit: number): Promise<HttpResponse> {
  const body = await request.body(limit);
  return { status: 200, headers: HeaderBlock.empty, body: body.ok ? String(body.value.length) : body.fault.code };
}

function streamed(chunks: readonly (Uint8Array | Error)[], onCancel?: () => void): RequestInit {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = chunks[at++];
      if (next === undefined) controller.close();
      else if (next instanceof Error) controller.error(next);
      else controller.enqueue(next);
    },
    ...(onCancel === undefined ? {} : { cancel: onCancel }),
  });
  return { method: "POST", body, duplex: "half" } as RequestInit;
}

test("a handler sees the method, the path and query as they stand, and the headers", async () => {
  let seen: readonly unknown[] = [];
  const fetch = answering((request) => {
    seen = [
      request.method,
      request.target,
      request.header("x-a"),
      request.header("x-b"),
      request.headerPairs(),
      request.remoteAddress,
    ];
    return { status: 204, headers: HeaderBlock.empty, body: null };
  });
  await fetch(new Request("http://local:81/a%2Fb//c?d=e%20f#g", { method: "DELETE", headers: { "X-A": "1" } }));
  assert.deepEqual(seen, ["DELETE", "/a%2Fb//c?d=e%20f", "1", undefined, ["x-a", "1"], ""]);
  await fetch(new Request("http://local"));
  assert.equal(seen[1], "/");
});

test("a streamed body is read up to the limit and not beyond", async () => {
  const fetch = answering((request) => bodyCode(request, 10));
  const four = new Uint8Array(4);
  const text = async (init: RequestInit): Promise<string> => (await fetch(new Request("http://local/", init))).text();
  assert.equal(await text(streamed([four, four])), "8");
  assert.equal(await text(streamed([])), "0");
  assert.equal(await text({ method: "POST" }), "0");
  let cancelled = false;
  assert.equal(await text(streamed([four, four, four, four], () => (cancelled = true))), "PAYLOAD_TOO_LARGE");
  assert.equal(cancelled, true);
  assert.equal(await text({ method: "POST", body: "x", headers: { "content-length": "11" } }), "PAYLOAD_TOO_LARGE");
  assert.equal(await text(streamed([four, new Error("gone")])), "BAD_BODY");
});

test("a body that breaks off because the client went away says so", async () => {
  const control = new AbortController();
  const fetch = answering((request) => {
    const reading = bodyCode(request, 10);
    control.abort();
    return reading;
  });
  const init = { ...streamed([new Uint8Array(1), new Error("aborted")]), signal: control.signal };
  assert.equal(await (await fetch(new Request("http://local/", init))).text(), "CLIENT_GONE");
});

test("a handler's signal is the request's", async () => {
  const control = new AbortController();
  let aborted = false;
  const fetch = answering((request) => {
    request.signal.addEventListener("abort", () => (aborted = true));
    return { status: 200, headers: HeaderBlock.empty, body: "" };
  });
  await fetch(new Request("http://local/", { signal: control.signal }));
  control.abort();
  assert.equal(aborted, true);
});

test("repeated header fields, texts, bytes and streams come out as they went in", async () => {
  const headers = new HeaderBlock(["set-cookie", "a=1", "set-cookie", "b=2", "x-c", "d"]);
  const bodies: readonly HttpResponse["body"][] = ["tëxt", new TextEncoder().encode("tëxt"), stream()];
  for (const body of bodies) {
    const response = await answering(() => ({ status: 201, headers, body }))(new Request("http://local/"));
    assert.deepEqual(
      [response.status, response.headers.getSetCookie(), response.headers.get("x-c")],
      [201, ["a=1", "b=2"], "d"],
    );
    assert.equal(await response.text(), "tëxt");
  }
});

let closed = 0;
async function* stream(): AsyncGenerator<Uint8Array> {
  try {
    yield new TextEncoder().encode("të");
    yield new TextEncoder().encode("xt");
  } finally {
    closed++;
  }
}

test("a stream is pulled as it is read, and closed when the reader leaves", async () => {
  let pulled = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        pulled++;
        yield new Uint8Array(1000);
      }
    } finally {
      closed++;
    }
  }
  const response = await answering(() => ({ status: 200, headers: HeaderBlock.empty, body: endless() }))(
    new Request("http://local/"),
  );
  const reader = response.body?.getReader();
  await reader?.read();
  assert.ok(pulled < 5, String(pulled));
  const before = closed;
  await reader?.cancel();
  assert.equal(closed, before + 1);
});

test("HEAD and the statuses without a body drop it; HEAD tells its length", async () => {
  const head = await answering(() => ({ status: 200, headers: HeaderBlock.empty, body: "tëxt" }))(
    new Request("http://local/", { method: "HEAD" }),
  );
  assert.deepEqual([head.body, head.headers.get("content-length")], [null, "5"]);
  const unread = await answering(() => ({ status: 200, headers: HeaderBlock.empty, body: stream() }))(
    new Request("http://local/", { method: "HEAD" }),
  );
  assert.deepEqual([unread.body, unread.headers.get("content-length")], [null, null]);
  for (const status of [204, 205, 304]) {
    const response = await answering(() => ({ status, headers: HeaderBlock.empty, body: "x" }))(
      new Request("http://local/"),
    );
    assert.deepEqual([response.status, response.body], [status, null]);
  }
});

test("a stream of known length says so, and is an error where it gives more or fewer bytes", async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(new Uint8Array(3));
    yield new Uint8Array(2);
  }
  const answer = async (length: number, method = "GET"): Promise<Response> =>
    answering(() => ({ status: 200, headers: HeaderBlock.empty, body: method === "GET" ? pieces() : null, length }))(
      new Request("http://local/", { method }),
    );
  const exact = await answer(5);
  assert.equal(exact.headers.get("content-length"), "5");
  assert.equal((await exact.arrayBuffer()).byteLength, 5);
  assert.equal((await answer(7, "HEAD")).headers.get("content-length"), "7");
  for (const length of [4, 6]) await assert.rejects((await answer(length)).arrayBuffer(), /promised/);
});
