/** Schemas of other libraries are foreign code in the middle of a request: they may throw, reject, or never answer. */
import assert from "node:assert/strict";
import { contract, implementContract, mutation } from "../contract/index.ts";
import { t, type AnySchema } from "../schema/index.ts";
import { bothFaces } from "./testing/faces.ts";

function foreign(validate: () => unknown): AnySchema {
  return { "~standard": { version: 1, vendor: "test", validate } } as AnySchema;
}

const fails = (): never => {
  throw new Error("secret");
};
const taking = (name: string, input: AnySchema): ReturnType<typeof mutation> =>
  mutation(name, { access: "public", input, output: t.json(), timeout: "50ms" });

const throwing = taking("throwing", foreign(fails));
const rejecting = taking(
  "rejecting",
  foreign(async () => fails()),
);
const hanging = taking(
  "hanging",
  foreign(() => new Promise(() => {})),
);
const picky = taking("picky", t.refine(t.object({ n: t.int32() }), fails, "never asked"));
const answering = mutation("answering", { access: "public", input: {}, output: foreign(fails) });
const implemented = implementContract(contract("demo.v1", { throwing, rejecting, hanging, picky, answering }), {
  handlers: {
    throwing: () => 1,
    rejecting: () => 1,
    hanging: () => 1,
    picky: () => 1,
    answering: () => 1,
  },
});

const json = { headers: { "content-type": "application/json" }, body: '{"n":1}' };

bothFaces("a schema that throws or rejects is an incident under the operation's name", implemented, async (face) => {
  for (const name of ["throwing", "rejecting", "picky", "answering"]) {
    const answer = await face.send("POST", `/${name}`, name === "answering" ? {} : json);
    assert.equal(answer.status, 500, name);
    assert.doesNotMatch(answer.text, /secret/);
    const defect = face.defects.pop();
    assert.match(defect?.where ?? "", new RegExp(`^${name}`));
    assert.equal(String(defect?.error), "Error: secret");
  }
});

bothFaces("a schema that never answers is given the operation's time", implemented, async (face) => {
  const answer = await face.send("POST", "/hanging", json);
  assert.equal(answer.status, 504);
});
