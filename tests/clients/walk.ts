// Every operation of the API, called through the types that openapi-typescript has generated.
// `node walk.js URL` prints the method and path of each operation that it has called.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type NewMessage = components["schemas"]["SmsNewMessage"];
type Event = components["schemas"]["SmsEvent"];

// In the sandbox, messages to these numbers are never reported as sent, or not answered for.
const UNREPORTED = "89350000001", UNANSWERED = "89350000005";
const NUMBER = "8 (913) 529-29-26", TAG = "typescript";

function connect(password: string) {
  const secret = Buffer.from(`billing:${password}`).toString("base64");
  const client = createClient<paths>({
    baseUrl: process.argv[2],
    headers: { Authorization: `Basic ${secret}` },
  });
  client.use({
    onRequest({ request, schemaPath }) {
      console.log(request.method, schemaPath);
    },
  });
  return client;
}

const api = connect("secret");

// The answer of a request that succeeds with this status.
async function ok<T>(request: Promise<{ data?: T; response: Response }>, status = 200): Promise<T> {
  const { data, response } = await request;
  assert.equal(response.status, status);
  assert(data !== undefined);
  return data;
}

// The problem of a request that is refused with this status.
async function refused<E>(request: Promise<{ error?: E; response: Response }>, status: number) {
  const { error, response } = await request;
  assert.equal(response.status, status);
  assert(error !== undefined);
  return error;
}

function message(number: string, fields: Partial<NewMessage> = {}): NewMessage {
  return { number, text: "Ваш заказ готов", tag: TAG, ...fields };
}

// Read events until all that are wanted have come; return the cursor after them.
async function follow(cursor: string, wanted: [string, string][]): Promise<string> {
  const left = new Set(wanted.map((pair) => pair.join(" ")));
  while (left.size > 0) {
    const query = { after: cursor, wait: 25 };
    const page = await ok(api.GET("/sms/events/", { params: { query } }));
    page.events.forEach((event: Event) => left.delete(`${event.guid} ${event.type}`));
    cursor = page.cursor;
  }
  return cursor;
}

async function writeAndFind() {
  const guid = randomUUID();
  const body = message(NUMBER, { guid, priority: "high" });
  const first = await ok(api.POST("/sms/messages/", { body }), 201);
  assert("guid" in first);
  assert.deepEqual([first.guid, first.status, first.is_new], [guid, "pending", true]);
  const repeated = await ok(api.POST("/sms/messages/", { body }));
  assert("is_new" in repeated && !repeated.is_new);
  const rows = [message(NUMBER), message(NUMBER, { sensitive: true })];
  const header = { "Idempotency-Key": randomUUID() };
  const request = { body: rows, params: { header } };
  const many = await ok(api.POST("/sms/messages/many/", request), 201);
  const again = await ok(api.POST("/sms/messages/many/", request));
  assert("results" in many && "results" in again);
  assert.deepEqual(again.results.map((one) => one.guid), many.results.map((one) => one.guid));
  const guids = [guid, ...many.results.map((one) => one.guid)];
  const query = { tag: TAG };
  const page = await ok(
    api.GET("/sms/messages/", { params: { query: { ...query, page_size: 2 } } }),
  );
  assert(page.next !== null && page.results.length === 2);
  for (const body of [{ guids }, { number: NUMBER }]) {
    const found = await ok(api.POST("/sms/messages/search/", { body, params: { query } }));
    assert.deepEqual(found.results.map((one) => one.guid).sort(), [...guids].sort());
  }
  const path = { guid };
  assert.equal((await ok(api.GET("/sms/messages/{guid}/", { params: { path } }))).guid, guid);
  const { statuses } = await ok(api.GET("/sms/messages/summary/", { params: { query } }));
  assert.equal(statuses.reduce((sum, each) => sum + each.messages, 0), guids.length);
  await ok(api.GET("/sms/messages/queue/"));
}

async function act() {
  const newest = { query: { after: "newest" } };
  let { cursor } = await ok(api.GET("/sms/events/", { params: newest }));
  const now = Date.now();
  const time = (milliseconds: number) => new Date(now + milliseconds).toISOString();
  const body = [NUMBER, UNREPORTED, UNANSWERED].map((number) => message(number));
  body.push(message(NUMBER, { send_at: time(3_600_000) }));
  const written = await ok(api.POST("/sms/messages/many/", { body }), 201);
  assert("results" in written);
  const [sent, asked, unknown, later] = written.results.map((one) => one.guid);
  assert(sent && asked && unknown && later);
  const at = (guid: string) => ({ params: { path: { guid } }, body: {} });
  const cancelled = await ok(api.POST("/sms/messages/{guid}/cancel/", at(later)));
  assert.equal(cancelled.status, "cancelled");
  const blocked = await refused(api.POST("/sms/messages/{guid}/cancel/", at(later)), 409);
  assert("current" in blocked);
  assert.deepEqual([blocked.code, blocked.current.guid], ["state", later]);
  cursor = await follow(cursor, [
    [sent, "message.sent"],
    [asked, "message.accepted"],
    [unknown, "message.unknown"],
    [later, "message.cancelled"],
  ]);
  await ok(api.POST("/sms/messages/{guid}/refresh/", at(asked)), 202);
  const accept = { ...at(unknown), body: { accept_duplicate: true as const } };
  assert.equal((await ok(api.POST("/sms/messages/{guid}/resend/", accept))).resends, 1);
  await follow(cursor, [
    [unknown, "message.pending"],
    [unknown, "message.unknown"],
  ]);
  const query = { changed_after: time(-60_000), tag: TAG };
  const changed = await ok(api.GET("/sms/messages/", { params: { query } }));
  assert(changed.results.some((one) => one.guid === sent));
}

async function stop() {
  const numbers = ["8 (902) 980-12-12"];
  const body = { numbers, note: "asked on the phone" };
  assert.equal((await ok(api.POST("/sms/stop-list/", { body }), 201)).added, 1);
  const page = await ok(api.GET("/sms/stop-list/"));
  assert.equal(page.results[0]?.note, "asked on the phone");
  const number = { body: { number: numbers[0]! } };
  const found = await ok(api.POST("/sms/stop-list/search/", number));
  assert.deepEqual(found.results.map((one) => one.number), ["+79029801212"]);
  const problem = await refused(api.POST("/sms/messages/", { body: message(numbers[0]!) }), 400);
  assert.deepEqual(problem.errors.map((fault) => fault.code), ["stopped"]);
  const removed = await ok(api.POST("/sms/stop-list/remove/", { body: { numbers } }));
  assert.equal(removed.removed, 1);
}

async function fail() {
  const body = [message(NUMBER), message("8 (495) 123-45-67")];
  const problem = await refused(api.POST("/sms/messages/many/", { body }), 400);
  const [fault] = problem.errors;
  assert.deepEqual([fault?.index, fault?.field, fault?.code], [1, "number", "landline"]);
  const skip = { on_error: "skip" as const };
  const dryRun = { body, params: { query: { ...skip, dry_run: true } } };
  const judged = await ok(api.POST("/sms/messages/many/", dryRun));
  assert("segments" in judged);
  assert.deepEqual([judged.messages, judged.segments, judged.errors[0]?.index], [1, 1, 1]);
  const partly = await ok(api.POST("/sms/messages/many/", { body, params: { query: skip } }), 201);
  assert("results" in partly);
  assert.deepEqual([partly.results.map((one) => one.index), partly.count], [[0], 1]);
  const path = { guid: randomUUID() };
  const missing = await refused(api.GET("/sms/messages/{guid}/", { params: { path } }), 404);
  assert.equal(missing.code, "not_found");
  const query = { after: "x" };
  const malformed = await refused(api.GET("/sms/events/", { params: { query } }), 400);
  assert.equal(malformed.errors[0]?.field, "after");
  const stranger = await refused(connect("wrong").GET("/sms/messages/"), 403);
  assert.equal(stranger.code, "authentication_failed");
}

await writeAndFind();
await act();
await stop();
await fail();
