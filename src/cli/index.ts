/** Floor 7: the program `tensile`. */
export { run } from "./run.ts";
