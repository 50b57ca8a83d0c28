// Sells a unit with axios, at the server whose URL is the first argument.
//
// Says `sold` once the order is confirmed; anything else is a failure. What it sends beyond the plain
// steps is what the library sends by itself.

import assert from "node:assert/strict";
import http from "node:http";
import axios from "axios";

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const client = axios.create({ baseURL: process.argv[2], httpAgent: agent, timeout: 30000 });
const json = { headers: { "Content-Type": "application/json" } };

const sku = "/v1/skus/node";
const put = await client.put(sku, { stock: 10 });
assert.equal(put.status, 201);
const merge = {
  headers: {
    "Content-Type": "application/merge-patch+json",
    "If-Match": `W/"1", ${put.headers.etag}`,
  },
};
const patched = await client.patch(sku, { hold_ms: 60000, paused: null }, merge);
assert.equal(patched.data.hold_ms, 60000);
const order = { user: "node", lines: [{ sku: "node", qty: 1 }] };
const key = { headers: { "Idempotency-Key": "node" } };
const created = await client.post("/v1/orders", order, key);
assert.equal(created.status, 201);
const path = `/v1/orders/${created.data.id}`;
assert.equal((await client.post(`${path}/confirm`)).data.status, "confirmed");
assert.equal((await client.post(`${path}/ship`, null)).data.status, "shipped");
assert.equal((await client.post(`${path}/complete`, null, json)).data.status, "completed");
assert.equal((await client.post(`${path}/refund`, undefined, json)).data.status, "refunded");
assert.equal((await client.get(path)).data.status, "refunded");
assert.equal((await client.get(sku)).data.available, 10);
const gone = await client.delete("/v1/skus/none", {
  headers: { "If-Match": "*" },
  validateStatus: () => true,
});
assert.equal(gone.status, 404);
agent.destroy();
console.log("sold");
