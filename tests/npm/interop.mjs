// The provider's official client against `usersync emulate`: it has to work unchanged.
//
// Called by scripts/interop with the path of the binary. Starts the emulator and a receiver of its deliveries, calls what
// an application would call, and prints what differs from Clerk.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { createInterface } from "node:readline";
import { createClerkClient, verifyToken } from "@clerk/backend";
import { verifyWebhook } from "@clerk/backend/webhooks";

const PATIENCE_MS = 10_000;

/** The deliveries so far, as requests that a route handler would get. */
const deliveries = [];
const receiver = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { headers, method, url } = request;
  const body = Buffer.concat(chunks);
  deliveries.push(new Request(`http://receiver${url}`, { method, headers, body }));
  response.writeHead(204).end();
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");

const hook = `http://127.0.0.1:${receiver.address().port}/webhooks/clerk`;
const options = ["emulate", "--bind", "127.0.0.1:0", "--json", "--users", "5", "--deliver-to", hook];
const emulator = spawn(process.argv[2], options, { stdio: ["ignore", "pipe", "inherit"] });
emulator.on("error", (error) => fail(new Error(`${process.argv[2]} could not be started: ${error.message}`)));
const lines = createInterface({ input: emulator.stdout })[Symbol.asyncIterator]();

let failed = false;
function fail(error) {
  failed = true;
  console.error(`interop: FAILED: ${error.message}`);
}

/** Runs one check; the next ones run even where it fails. */
async function check(name, work) {
  try {
    await work();
    console.log(`interop: ok: ${name}`);
  } catch (error) {
    fail(new Error(`${name}: ${error.message}${error.errors ? ` ${JSON.stringify(error.errors)}` : ""}`));
  }
}

/** Waits for a delivery that fits, each verified by the official client. */
async function delivered(fits, secret) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    for (const request of deliveries) {
      const event = await verifyWebhook(request.clone(), { signingSecret: secret });
      if (fits(event)) return event;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no such delivery arrived, only ${deliveries.length} others`);
}

async function checks() {
  const ready = await Promise.race([
    lines.next(),
    new Promise((_, reject) => {
      setTimeout(() => reject(new Error("the emulator printed nothing")), PATIENCE_MS).unref();
    }),
  ]);
  if (ready.done) throw new Error("the emulator ended before it was ready");
  const keys = JSON.parse(ready.value);
  const expected = ["api_url", "jwt_key", "publishable_key", "secret_key", "webhook_secret"];
  assert.deepEqual(Object.keys(keys).sort(), expected);
  const settings = { secretKey: keys.secret_key, publishableKey: keys.publishable_key, apiUrl: keys.api_url };
  const clerk = createClerkClient(settings);

  let user;
  await check("users.getUserList and getCount see the users that were there", async () => {
    const list = await clerk.users.getUserList({ limit: 4, orderBy: "+created_at" });
    assert.equal(list.data.length, 4);
    assert.equal(list.totalCount, 5);
    // The first three users that the emulator makes were created in one millisecond.
    assert.ok(list.data[2].createdAt < list.data[3].createdAt);
    assert.equal(await clerk.users.getCount(), 5);
  });
  await check("users.createUser gives the user that was asked for", async () => {
    user = await clerk.users.createUser({
      emailAddress: ["ada@example.org"],
      phoneNumber: ["+15555550100"],
      username: "ada",
      firstName: "Ada",
      lastName: "Lovelace",
      externalId: "42",
      publicMetadata: { role: "member", nested: { keptAsItIs: 1 } },
      privateMetadata: { secret: true },
      unsafeMetadata: { theme: "dark" },
    });
    assert.match(user.id, /^user_[0-9A-Za-z]{27}$/);
    assert.equal(user.primaryEmailAddress?.emailAddress, "ada@example.org");
    assert.equal(user.primaryEmailAddress?.verification?.status, "verified");
    assert.equal(user.primaryPhoneNumber?.phoneNumber, "+15555550100");
    assert.equal(user.fullName, "Ada Lovelace");
    assert.deepEqual([user.username, user.externalId], ["ada", "42"]);
    assert.deepEqual(user.publicMetadata, { role: "member", nested: { keptAsItIs: 1 } });
    assert.deepEqual(user.unsafeMetadata, { theme: "dark" });
  });
  await check("users.createUser refuses an address that is taken", async () => {
    await assert.rejects(clerk.users.createUser({ emailAddress: ["ada@example.org"] }), (error) => {
      assert.deepEqual([error.status, error.errors[0].code], [422, "form_identifier_exists"]);
      assert.equal(error.errors[0].meta.paramName, "email_address");
      assert.ok(error.clerkTraceId);
      return true;
    });
  });
  await check("users.getUser and the filters find it", async () => {
    assert.equal((await clerk.users.getUser(user.id)).id, user.id);
    for (const filter of [{ userId: [user.id] }, { externalId: ["42"] }, { emailAddress: ["ada@example.org"] }]) {
      const list = await clerk.users.getUserList(filter);
      assert.deepEqual([list.totalCount, list.data[0]?.id], [1, user.id], JSON.stringify(filter));
    }
    assert.equal((await clerk.users.getUserList({ userId: [`-${user.id}`] })).totalCount, 5);
  });
  await check("users.updateUser changes it", async () => {
    const changed = await clerk.users.updateUser(user.id, { firstName: "Augusta" });
    assert.equal(changed.firstName, "Augusta");
    assert.equal(changed.lastName, "Lovelace");
    assert.ok(changed.updatedAt > user.updatedAt);
  });
  await check("users.updateUserMetadata merges", async () => {
    const publicMetadata = { dbId: "7", nested: { keptAsItIs: null, more: 2 } };
    const changed = await clerk.users.updateUserMetadata(user.id, { publicMetadata });
    assert.deepEqual(changed.publicMetadata, { role: "member", dbId: "7", nested: { more: 2 } });
  });
  await check("users.banUser, unbanUser, lockUser and unlockUser", async () => {
    assert.equal((await clerk.users.banUser(user.id)).banned, true);
    assert.equal((await clerk.users.unbanUser(user.id)).banned, false);
    assert.equal((await clerk.users.lockUser(user.id)).locked, true);
    assert.equal((await clerk.users.unlockUser(user.id)).locked, false);
  });

  let session;
  await check("sessions.createSession and getSession", async () => {
    session = await clerk.sessions.createSession({ userId: user.id });
    assert.deepEqual([session.userId, session.status], [user.id, "active"]);
    assert.equal((await clerk.sessions.getSession(session.id)).id, session.id);
  });
  await check("sessions.getToken gives a token that verifyToken accepts by PEM and by key set", async () => {
    const { jwt } = await clerk.sessions.getToken(session.id);
    for (const by of [{ jwtKey: keys.jwt_key }, { secretKey: keys.secret_key, apiUrl: keys.api_url }]) {
      const claims = await verifyToken(jwt, by);
      assert.deepEqual([claims.sub, claims.sid, claims.v], [user.id, session.id, 2]);
      assert.deepEqual([claims.dbId, claims.role], ["7", "member"]);
      assert.equal(claims.exp - claims.iat, 60);
    }
  });
  await check("verifyToken rejects a token that was tampered with", async () => {
    const { jwt } = await clerk.sessions.getToken(session.id);
    const [header, claims, signature] = jwt.split(".");
    const other = JSON.parse(Buffer.from(claims, "base64url"));
    other.sub = "user_other";
    const forged = [header, Buffer.from(JSON.stringify(other)).toString("base64url"), signature].join(".");
    for (const by of [{ jwtKey: keys.jwt_key }, { secretKey: keys.secret_key, apiUrl: keys.api_url }]) {
      await assert.rejects(verifyToken(forged, by), { reason: "token-invalid-signature" });
    }
  });
  await check("sessions.getToken of a template, and with a lifetime of its own", async () => {
    const { jwt } = await clerk.sessions.getToken(session.id, "mine", 600);
    const claims = await verifyToken(jwt, { jwtKey: keys.jwt_key });
    assert.deepEqual([claims.sub, claims.sid, claims.exp - claims.iat], [user.id, undefined, 600]);
  });
  await check("authenticateRequest lets a session token in and a template token not", async () => {
    const state = async (jwt) => {
      const request = new Request("http://app.test/", { headers: { authorization: `Bearer ${jwt}` } });
      return clerk.authenticateRequest(request, { jwtKey: keys.jwt_key });
    };
    const own = await state((await clerk.sessions.getToken(session.id)).jwt);
    assert.deepEqual([own.isAuthenticated, own.toAuth()?.userId], [true, user.id]);
    const template = await state((await clerk.sessions.getToken(session.id, "mine")).jwt);
    assert.equal(template.isAuthenticated, false);
  });
  await check("jwks.getJwks shows the instance's key", async () => {
    const set = await clerk.jwks.getJwks();
    assert.equal(set.keys.length, 1);
    assert.deepEqual([set.keys[0].kty, set.keys[0].alg, set.keys[0].use], ["RSA", "RS256", "sig"]);
    assert.match(set.keys[0].kid, /^ins_/);
  });
  await check("sessions.revokeSession ends it", async () => {
    assert.equal((await clerk.sessions.revokeSession(session.id)).status, "revoked");
    await assert.rejects(clerk.sessions.getToken(session.id), { status: 404 });
  });
  await check("users.deleteUser deletes it", async () => {
    const deleted = await clerk.users.deleteUser(user.id);
    assert.deepEqual([deleted.id, deleted.deleted], [user.id, true]);
    await assert.rejects(clerk.users.getUser(user.id), (error) => {
      assert.deepEqual([error.status, error.errors[0].code], [404, "resource_not_found"]);
      return true;
    });
  });
  await check("verifyWebhook accepts the deliveries, and no others", async () => {
    const secret = keys.webhook_secret;
    const of = (type) => (event) => event.type === type && event.data.id === user.id;
    const created = await delivered(of("user.created"), secret);
    assert.equal(created.data.email_addresses[0].email_address, "ada@example.org");
    await delivered((event) => of("user.updated")(event) && event.data.public_metadata.dbId === "7", secret);
    const deleted = await delivered(of("user.deleted"), secret);
    assert.deepEqual(deleted.data, { deleted: true, external_id: "42", id: user.id, object: "user" });
    const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    await assert.rejects(verifyWebhook(deliveries[0].clone(), { signingSecret: other }));
  });
  await check("a wrong secret key is refused", async () => {
    const stranger = createClerkClient({ ...settings, secretKey: "sk_test_stranger" });
    await assert.rejects(stranger.users.getCount(), { status: 401 });
  });
}

await checks().catch(fail);
receiver.close();
receiver.closeAllConnections();
if (emulator.exitCode === null && emulator.pid) {
  const ended = once(emulator, "exit");
  emulator.kill("SIGTERM");
  const [status, signal] = await ended;
  if (status !== 0) fail(new Error(`the emulator should stop with status 0, not ${status ?? signal}`));
}
process.exit(failed ? 1 : 0);
