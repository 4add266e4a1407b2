/** The request that opens a stream, as the bound call sees it. */
import type { StreamIncoming } from "../../contract/index.ts";
import { HttpCall } from "../http-call.ts";

export class StreamCall extends HttpCall implements StreamIncoming {
  lastEventId: string | undefined;
}
