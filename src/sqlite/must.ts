/** For what is there by construction: an index within bounds, a row that another row names. Its absence is a defect of this program. */
export function must<T>(value: T | undefined): T {
  if (value === undefined)
    throw new Error("The SQLite store lost track of its own records. Please report this with the stack.");
  return value;
}
