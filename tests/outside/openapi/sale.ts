// A whole sale over HTTP, with `openapi-fetch` and the types that `openapi-typescript` made of
// `docs/openapi.json`. Run as `node sale.js URL TOKEN`; the last line says what was done. What must
// not compile stands at the end.

import createClient from "openapi-fetch";
import { argv } from "node:process";
import type { components, paths } from "./contract.js";

type Schemas = components["schemas"];

/** What `openapi-fetch` answers; one of `data` and `error` is there. */
interface Outcome<T> {
  data?: T | undefined;
  // None where the head was too large to be read.
  error?: Schemas["Problem"] | undefined;
  response: Response;
}

const [, , url = "", token = ""] = argv;
const client = createClient<paths>({
  baseUrl: url,
  headers: { Authorization: `Bearer ${token}` },
});

/** Nothing here takes this long unless it is broken. */
const PATIENCE_MS = 60_000;

function check(good: boolean, what: string): asserts good {
  if (!good) throw new Error(what);
}

async function taken<T>(status: number, asked: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await asked;
  check(response.status === status, `${response.status} ${JSON.stringify(error)}, not ${status}`);
  check(data !== undefined, "no body");
  return data;
}

async function refused(
  code: Schemas["Code"],
  asked: Promise<Outcome<unknown>>,
): Promise<Schemas["Problem"]> {
  const { error, response } = await asked;
  check(error?.code === code, `${response.status} ${JSON.stringify(error)}, not ${code}`);
  check(error.status === response.status, "two statuses");
  return error;
}

const put = (sku: string, body: Schemas["SkuPut"]) =>
  taken(201, client.PUT("/v1/skus/{sku}", { params: { path: { sku } }, body }));

const order = (key: string, body: Schemas["OrderCreate"]) =>
  client.POST("/v1/orders", { params: { header: { "Idempotency-Key": key } }, body });

const one = (sku: string, qty = 1): Schemas["Line"][] => [{ sku, qty }];

/** Units are held, sold, and given back when the hold runs out; then there are none. */
async function sell(): Promise<void> {
  const phone = await put("phone", { stock: 3, hold_ms: 600_000 });
  check(phone.total === 3 && phone.available === 3 && phone.sold === 0, "the units are there");
  const first = await taken(201, order("k-1", { user: "u1", lines: one("phone") }));
  check(first.status === "held" && first.expires_at !== null, "it is held");
  const again = await order("k-1", { user: "u1", lines: one("phone") });
  check(again.data?.id === first.id, "one key, one order");
  check(again.response.headers.get("Idempotent-Replayed") === "true", "it is told again");
  const path = { order: first.id };
  const confirm = client.POST("/v1/orders/{order}/confirm", { params: { path } });
  check((await taken(200, confirm)).status === "confirmed", "it is sold");

  const brief = { user: "u2", lines: one("phone", 2), hold_ms: 50 };
  const lost = await taken(201, order("k-2", brief));
  await expired(lost.id);
  const late = client.POST("/v1/orders/{order}/confirm", { params: { path: { order: lost.id } } });
  await refused("hold_expired", late);

  await taken(201, order("k-3", { user: "u3", lines: one("phone", 2), confirm: true }));
  const none = await refused("sold_out", order("k-4", { user: "u4", lines: one("phone") }));
  const short = none.lines?.[0];
  check(short?.sku === "phone" && short.available === 0 && short.held === 0, "it is sold out");
  check(!none.retryable, "none will come back");
}

async function expired(id: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const path = { order: id };
    const now = await taken(200, client.GET("/v1/orders/{order}", { params: { path } }));
    if (now.status === "expired") return;
  }
  throw new Error("the hold does not run out");
}

/** The total and the settings change only for those who know what there is. */
async function change(): Promise<void> {
  const path = { sku: "phone" };
  const adjust = (key: string, body: Schemas["Adjustment"], tag?: string) =>
    client.POST("/v1/skus/{sku}/adjust", {
      params: { path, header: { "Idempotency-Key": key, ...(tag ? { "If-Match": tag } : {}) } },
      body,
    });
  const found = await adjust("k-5", { delta: 2, reason: "found" });
  check(found.data?.total === 5, "two more");
  const recount = { stock: 4, reason: "recount" };
  await refused("if_match_required", adjust("k-6", recount));
  const tag = found.response.headers.get("ETag") ?? "";
  check((await taken(200, adjust("k-7", recount, tag))).total === 4, "four in all");
  await refused("version_mismatch", adjust("k-8", recount, tag));
  const patch = client.PATCH("/v1/skus/{sku}", { params: { path }, body: { paused: true } });
  check((await taken(200, patch)).paused, "it pauses");
  await refused("paused", order("k-9", { user: "u5", lines: one("phone") }));
}

/** A prize is drawn for, and the draw shows its seed. */
async function draw(): Promise<void> {
  await put("prize", { stock: 5 });
  const path = { draw: "spring" };
  const terms = { prizes: [{ sku: "prize", weight: 1 }] };
  const made = await taken(201, client.PUT("/v1/draws/{draw}", { params: { path }, body: terms }));
  check(made.seed === null && made.commitment.length === 64, "the seed is a secret");
  await refused("draw_only", order("k-10", { user: "u6", lines: one("prize") }));
  const enter = client.POST("/v1/draws/{draw}/entries", {
    params: { path, header: { "Idempotency-Key": "k-11" } },
    body: { user: "u6", client_seed: "my own luck" },
  });
  const entry = await taken(201, enter);
  check(entry.outcome === "won" && entry.pick === "prize", "it is won");
  check(entry.order !== null, "a win is an order");
  const won = { order: entry.order.id };
  await taken(200, client.POST("/v1/orders/{order}/confirm", { params: { path: won } }));
  const closed = await taken(200, client.POST("/v1/draws/{draw}/close", { params: { path } }));
  check(closed.seed?.length === 64, "the seed is told");
  const list = client.GET("/v1/draws/{draw}/entries", { params: { path, query: { limit: 1 } } });
  check((await taken(200, list)).entries[0]?.order?.status === "confirmed", "the win is sold");
}

/** Many commands in one request, each answered like its own. */
async function batch(): Promise<void> {
  const lines: Schemas["BatchLine"][] = [
    { op: "sku", sku: "cup", stock: 2 },
    { op: "order", key: "b-1", user: "u7", lines: one("cup", 2), confirm: true },
    { op: "order", key: "b-2", user: "u8", lines: one("cup") },
    { op: "order", key: "b-1", user: "u7", lines: one("cup", 2), confirm: true },
  ];
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const asked = client.POST("/v1/batch", {
    body,
    bodySerializer: (text) => text,
    headers: { "Content-Type": "application/x-ndjson" },
    parseAs: "text",
  });
  const text = await taken(200, asked);
  const answers: Schemas["BatchAnswer"][] = text.trim().split("\n").map((line) => JSON.parse(line));
  check(answers.map(({ status }) => status).join() === "201,201,409,201", text);
  const [, first, none, again] = answers;
  check(again?.replayed === true && !first?.replayed, "the last line is the second again");
  check(none !== undefined && "code" in none.body && none.body.code === "sold_out", text);
}

/** Pages are followed to their end. */
async function pages(): Promise<void> {
  const skus: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const query = { limit: 1, ...(cursor ? { cursor } : {}) };
    const page = await taken(200, client.GET("/v1/skus", { params: { query } }));
    skus.push(...page.skus.map(({ sku }) => sku));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  check(skus.join() === "cup,phone,prize", skus.join());
  const query = { status: "confirmed" as const, sku: "phone" };
  const sold = await taken(200, client.GET("/v1/orders", { params: { query } }));
  check(sold.orders.length === 2, "two orders of phones");
  let events = 0;
  for (let after = "0"; ; ) {
    const query = { after, limit: 4 };
    const page = await taken(200, client.GET("/v1/events", { params: { query } }));
    check(typeof page !== "string", "a page, not a stream");
    if (page.events.length === 0) break;
    events += page.events.length;
    after = page.next_after;
  }
  check(events >= 14, `${events} events`);
  const remembered = client.GET("/v1/requests/{key}", { params: { path: { key: "k-1" } } });
  check((await taken(200, remembered)).status === 201, "the key is remembered");
}

/** None of these is a request; each would be a fault of the types if it compiled. */
export function wrong(): void {
  // @ts-expect-error a stock is a number
  void put("a", { stock: "many" });
  // @ts-expect-error a key is needed
  void client.POST("/v1/orders", { body: { user: "u", lines: one("a") } });
  // @ts-expect-error a difference or a number
  const neither: Schemas["Adjustment"] = { reason: "r" };
  // @ts-expect-error there is no such code
  const code: Schemas["Code"] = "sold-out";
  // @ts-expect-error there is no such place
  void client.GET("/v1/sku");
  void [neither, code];
}

await sell();
await change();
await draw();
await batch();
await pages();
console.log("the sale is done");
