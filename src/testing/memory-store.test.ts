import { storeConformance } from "./store-conformance.ts";
import { memoryStore } from "./memory-store.ts";

storeConformance("memory", async () => {
  const store = memoryStore();
  return { store: () => store, remove: async () => undefined };
});
