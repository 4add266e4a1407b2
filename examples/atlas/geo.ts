/**
 * Distances on the globe. Pure, because the date line and the poles are where such code goes wrong, and tests must reach them.
 */

/** Mean radius of the earth in km (IUGG). A sphere is off by at most 0.6 %: enough to rank cities. */
const earthKm = 6371.0088;
const radians = Math.PI / 180;

/** Kilometres between two points, by the haversine formula, which stays exact for points close together. */
export function distanceKm(lat1: number, lon1: number, lat2: number, lon2: number): number {
  const dLat = Math.sin(((lat2 - lat1) * radians) / 2);
  const dLon = Math.sin(((lon2 - lon1) * radians) / 2);
  const h = dLat * dLat + Math.cos(lat1 * radians) * Math.cos(lat2 * radians) * dLon * dLon;
  return 2 * earthKm * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Degrees; `west` <= `east`. */
export interface Box {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

/**
 * Boxes that hold every point within `km`: one, or two where the circle crosses the date line. A circle around a pole meets every
 * longitude. They may hold more: measure what they find.
 */
export function boxesAround(lat: number, lon: number, km: number): readonly Box[] {
  const angle = km / earthKm;
  const reach = angle / radians;
  const south = Math.max(-90, lat - reach);
  const north = Math.min(90, lat + reach);
  if (lat - reach <= -90 || lat + reach >= 90) return [{ south, north, west: -180, east: 180 }];

  // The circle is widest where a meridian touches it, which is nearer to the pole than its centre.
  const width = Math.asin(Math.min(1, Math.sin(angle) / Math.cos(lat * radians))) / radians;
  const west = lon - width;
  const east = lon + width;
  if (west < -180) return [edge(west + 360, 180), edge(-180, east)];
  if (east > 180) return [edge(west, 180), edge(-180, east - 360)];
  return [edge(west, east)];

  function edge(from: number, to: number): Box {
    return { south, north, west: from, east: to };
  }
}
