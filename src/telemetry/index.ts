/** Floor 1: what happens inside, as typed events. */
export { Events, type EventListener, type EventName, type EventTable } from "./events.ts";
