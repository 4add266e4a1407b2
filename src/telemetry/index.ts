/** Floor 1: what happens inside, as typed events. */
export { Events, type EventTable, type RequestEnd } from "./events.ts";
