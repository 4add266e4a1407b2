/** The `wire` moments of an app's middleware, composed once at start around everything that HTTP answers. */
import type { Middleware, WireTools } from "../contract/index.ts";
import { isPromiseLike, type MaybePromise } from "../core/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../exchange/index.ts";

/**
 * Outermost first. Gives `handler` itself where nobody has a `wire`. Nothing that a wire throws goes further out: the wires around it
 * see a problem.
 *
 * @throws TypeError for a wire that gives no function.
 */
export function composeWires(handler: HttpHandler, list: readonly Middleware[], tools: WireTools): HttpHandler {
  let composed = handler;
  for (const [i, { wire }] of [...list.entries()].toReversed()) {
    if (wire === undefined) continue;
    const wired: unknown = wire(composed, tools);
    if (typeof wired !== "function")
      throw new TypeError(`The wire of middleware[${i}] must return a handler: (request) => response.`);
    composed = guarded(wired as HttpHandler, tools);
  }
  return composed;
}

function guarded(handler: HttpHandler, tools: WireTools): HttpHandler {
  return (request: HttpRequest): MaybePromise<HttpResponse> => {
    try {
      const response = handler(request);
      if (!isPromiseLike(response)) return response;
      return response.then(undefined, (error: unknown) => tools.defect(request, error));
    } catch (error) {
      return tools.defect(request, error);
    }
  };
}
