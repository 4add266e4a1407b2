import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { boxesAround, distanceKm } from "./geo.ts";

const lat = fc.double({ min: -90, max: 90, noNaN: true });
const lon = fc.double({ min: -180, max: 180, noNaN: true });

test("the distance between two cities is the one that atlases give", () => {
  const lisbon = [38.71667, -9.13333] as const;
  const porto = [41.14961, -8.61099] as const;
  assert.equal(Math.round(distanceKm(...lisbon, ...porto)), 274);
  assert.equal(Math.round(distanceKm(...lisbon, -33.86785, 151.20732)), 18_177, "Lisbon to Sydney");
});

test("a point is no way from itself, and half the globe from its antipode", () => {
  assert.equal(distanceKm(38.7, -9.1, 38.7, -9.1), 0);
  assert.equal(Math.round(distanceKm(0, 0, 0, 180)), 20_015);
  assert.equal(Math.round(distanceKm(90, 0, -90, 77)), 20_015);
});

test("180 degrees east and west are the same meridian, and all meridians meet at a pole", () => {
  assert.ok(distanceKm(-17.7, 180, -17.7, -180) < 1e-6);
  assert.ok(distanceKm(90, 12, 90, -130) < 1e-6);
});

test("distance is the same both ways", () => {
  fc.assert(
    fc.property(lat, lon, lat, lon, (lat1, lon1, lat2, lon2) => {
      assert.ok(Math.abs(distanceKm(lat1, lon1, lat2, lon2) - distanceKm(lat2, lon2, lat1, lon1)) < 1e-6);
    }),
  );
});

test("a circle across the date line is two boxes, one on each side", () => {
  const boxes = boxesAround(-17.7, 179.9, 50);
  assert.equal(boxes.length, 2);
  assert.deepEqual(
    boxes.map(({ west, east }) => [west < 180 && east === 180, west === -180 && east < 0]),
    [
      [true, false],
      [false, true],
    ],
  );
});

test("a circle around a pole meets every longitude", () => {
  assert.deepEqual(boxesAround(89.9, 20, 50), [
    { south: 89.9 - 50 / 111.19508023353292, north: 90, west: -180, east: 180 },
  ]);
});

test("every point within the distance lies in a box, at the date line and the poles too", () => {
  const edges = [fc.constantFrom(-90, -89.9, 89.9, 90), fc.constantFrom(-180, -179.9, 179.9, 180)] as const;
  const bearing = fc.double({ min: 0, max: 2 * Math.PI, noNaN: true });
  const share = fc.double({ min: 0, max: 0.99, noNaN: true });
  const km = fc.oneof(
    fc.double({ min: 0.1, max: 500, noNaN: true }),
    fc.double({ min: 0.1, max: 20_000, noNaN: true }),
  );
  fc.assert(
    fc.property(
      fc.oneof(lat, edges[0]),
      fc.oneof(lon, edges[1]),
      km,
      bearing,
      share,
      (lat, lon, km, bearing, share) => {
        const point = travel(lat, lon, km * share, bearing);
        const inside = boxesAround(lat, lon, km).some(
          (box) => box.south <= point.lat && point.lat <= box.north && box.west <= point.lon && point.lon <= box.east,
        );
        assert.ok(inside, `${JSON.stringify(point)} is ${km * share} km away`);
      },
    ),
    { numRuns: 2_000 },
  );
});

/** Where one arrives after `km` along a great circle. */
function travel(lat: number, lon: number, km: number, bearing: number): { lat: number; lon: number } {
  const radians = Math.PI / 180;
  const angle = km / 6371.0088;
  const sin = Math.sin(lat * radians) * Math.cos(angle) + Math.cos(lat * radians) * Math.sin(angle) * Math.cos(bearing);
  const arrived = Math.asin(Math.max(-1, Math.min(1, sin)));
  const turn = Math.atan2(
    Math.sin(bearing) * Math.sin(angle) * Math.cos(lat * radians),
    Math.cos(angle) - Math.sin(lat * radians) * Math.sin(arrived),
  );
  const around = lon + turn / radians;
  return { lat: arrived / radians, lon: around > 180 ? around - 360 : around < -180 ? around + 360 : around };
}
