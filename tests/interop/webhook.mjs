// Signed deliveries of invented users, as the provider's sender makes them. Called by the checks.

import { createHmac, randomBytes } from "node:crypto";
import { SIGNING_SECRET } from "./service.mjs";

/** A provider's id that nobody had before. */
export const userId = () => `user_${randomBytes(14).toString("hex").slice(0, 27)}`;

/** The request of one delivery, for `send`. `at_ms` is when it is signed. */
export function delivery(type, data, { secret = SIGNING_SECRET, at_ms = Date.now() } = {}) {
  const body = JSON.stringify({ type, object: "event", timestamp: at_ms, data });
  const [id, seconds] = [`msg_${randomBytes(14).toString("hex").slice(0, 27)}`, Math.floor(at_ms / 1000)];
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  const signed = { "svix-id": id, "svix-timestamp": `${seconds}`, "svix-signature": `v1,${signature}` };
  return { method: "POST", headers: { "content-type": "application/json", ...signed }, body };
}
