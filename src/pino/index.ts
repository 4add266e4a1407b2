/** Floor 7: the log by pino, which is needed only where you make the logger. */
export { pinoLog, type PinoLogger } from "./pino-log.ts";
