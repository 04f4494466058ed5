// Maps the user object of a Clerk event to a row of the users table. Called by server.mjs; knows neither HTTP nor SQL.

/** Newer than any snapshot, so that a deleted user stays deleted. */
const AFTER_EVERYTHING = '9223372036854775807';

/** The row of a `user.created` or `user.updated`, or the tombstone of a `user.deleted`. */
export function rowOf({ type, data }) {
  return type === 'user.deleted' ? tombstone(data) : snapshot(data);
}

function snapshot(data) {
  const email = primary(data.email_addresses, data.primary_email_address_id);
  const phone = primary(data.phone_numbers, data.primary_phone_number_id);
  return {
    externalId: data.id,
    email: email?.email_address ?? null,
    emailLower: email?.email_address.toLowerCase() ?? null,
    emailVerified: email?.verification?.status === 'verified',
    phone: phone?.phone_number ?? null,
    username: data.username ?? null,
    firstName: data.first_name ?? null,
    lastName: data.last_name ?? null,
    name: nameOf(data),
    imageUrl: data.image_url ?? null,
    role: data.public_metadata?.role ?? 'user',
    publicMetadata: JSON.stringify(data.public_metadata ?? {}),
    status: statusOf(data),
    updatedAt: data.updated_at ?? 0,
    lastSignInAt: timeOf(data.last_sign_in_at),
    sourceCreatedAt: timeOf(data.created_at),
  };
}

/** A row without any value of the user, its columns in the same order. */
function tombstone({ id }) {
  return { ...snapshot({ id }), name: null, role: null, status: 'deleted', updatedAt: AFTER_EVERYTHING };
}

/** The entry with the primary id; where that points at nothing, the first verified one. */
function primary(entries = [], primaryId) {
  return (
    entries.find((entry) => entry.id === primaryId) ??
    entries.find((entry) => entry.verification?.status === 'verified')
  );
}

function nameOf({ first_name: first, last_name: last, username }) {
  if (first && last) return `${first} ${last}`;
  return first || last || username || 'User';
}

function statusOf({ banned, locked }) {
  if (banned) return 'banned';
  return locked ? 'locked' : 'active';
}

function timeOf(milliseconds) {
  return milliseconds == null ? null : new Date(milliseconds).toISOString();
}
