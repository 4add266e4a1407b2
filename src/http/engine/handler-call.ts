/**
 * The call of the handler. Its contract says that it neither throws nor rejects nor answers nonsense; this file is for the
 * day when it does: the defect is reported, and the client gets a bare 500.
 */
import { isPromiseLike, type MaybePromise } from "../../core/index.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../../exchange/index.ts";
import { isStatus } from "./answer-text.ts";
import { abandon } from "./answer-writer.ts";
import type { ConnectionHost, EngineDefect } from "./connection-host.ts";

/** Stands for the answer of a handler that gave none. Compared by identity. */
export const defective: HttpResponse = Object.freeze({ status: 500, headers: HeaderBlock.empty, body: null });

/** The answer, or null when it will come later through `onAnswer`. */
export function callHandler<R extends HttpRequest>(
  host: ConnectionHost,
  request: R,
  onAnswer: (request: R, response: HttpResponse) => void,
): HttpResponse | null {
  let answer: MaybePromise<HttpResponse>;
  try {
    answer = host.handler(request);
  } catch (error) {
    reportDefect(host, "handler_threw", error, request);
    return defective;
  }
  if (!isPromiseLike(answer)) return checked(host, request, answer);
  answer.then(
    (response) => onAnswer(request, checked(host, request, response)),
    (error: unknown) => {
      reportDefect(host, "handler_rejected", error, request);
      onAnswer(request, defective);
    },
  );
  return null;
}

export function reportDefect(
  host: ConnectionHost,
  kind: EngineDefect["kind"],
  error: unknown,
  request: HttpRequest,
): void {
  host.defect({ kind, error, method: request.method, target: request.target });
}

/** 101 is an answer only to who offered it. */
function isUpgrade(request: HttpRequest, { headers, upgrade }: HttpResponse): boolean {
  return headers instanceof HeaderBlock && typeof upgrade === "function" && request.canUpgrade === true;
}

/** `response` is typed, but plain JavaScript can answer anything. */
function checked(host: ConnectionHost, request: HttpRequest, response: HttpResponse | null | undefined): HttpResponse {
  if (isStatus(response?.status) && response?.headers instanceof HeaderBlock) return response;
  if (response?.status === 101 && isUpgrade(request, response)) return response;
  const text = `The handler must answer with a status from 200 to 599 (or 101 with \`upgrade\`, where the request's \`canUpgrade\` says so) and a HeaderBlock; its status is ${String(response?.status)}.`;
  reportDefect(host, "bad_response", new TypeError(text), request);
  if (response) abandon(response);
  return defective;
}
