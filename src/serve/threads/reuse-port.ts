/** Whether several threads can listen on one port here: SO_REUSEPORT with connections spread over them, as Linux and FreeBSD have it. */
import { createServer } from "node:net";

export function canReusePort(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen({ port: 0, host: "127.0.0.1", reusePort: true }, () => server.close(() => resolve(true)));
  });
}
