// The parts of Clerk's events that are used here, and how a user object becomes a row.
import type { users } from './schema';

type Verifiable = { id: string; verification: { status: string } | null };

/** Of a deleted user there is the id only. */
export type ClerkUser = { id: string } & Partial<{
  email_addresses: (Verifiable & { email_address: string })[];
  phone_numbers: (Verifiable & { phone_number: string })[];
  primary_email_address_id: string | null;
  primary_phone_number_id: string | null;
  username: string | null;
  first_name: string | null;
  last_name: string | null;
  image_url: string;
  public_metadata: Record<string, unknown>;
  banned: boolean;
  locked: boolean;
  last_sign_in_at: number | null;
  created_at: number;
  updated_at: number;
}>;

export type ClerkEvent = { type: string; data: ClerkUser };

/** Newer than any snapshot, so that a deleted user stays deleted. */
const AFTER_EVERYTHING = BigInt('9223372036854775807');

export function rowOf({ type, data }: ClerkEvent): typeof users.$inferInsert {
  return type === 'user.deleted' ? tombstone(data) : snapshot(data);
}

function snapshot(user: ClerkUser): typeof users.$inferInsert {
  const email = primary(user.email_addresses, user.primary_email_address_id);
  const phone = primary(user.phone_numbers, user.primary_phone_number_id);
  return {
    externalId: user.id,
    email: email?.email_address ?? null,
    emailLower: email?.email_address.toLowerCase() ?? null,
    emailVerified: email?.verification?.status === 'verified',
    phone: phone?.phone_number ?? null,
    username: user.username ?? null,
    firstName: user.first_name ?? null,
    lastName: user.last_name ?? null,
    name: [user.first_name, user.last_name].filter(Boolean).join(' ') || user.username || 'User',
    imageUrl: user.image_url ?? null,
    role: typeof user.public_metadata?.role === 'string' ? user.public_metadata.role : 'user',
    publicMetadata: user.public_metadata ?? {},
    status: user.banned ? 'banned' : user.locked ? 'locked' : 'active',
    updatedAt: BigInt(user.updated_at ?? 0),
    lastSignInAt: timeOf(user.last_sign_in_at),
    sourceCreatedAt: timeOf(user.created_at),
  };
}

/** A row without any value of the user. */
function tombstone({ id }: ClerkUser): typeof users.$inferInsert {
  return { ...snapshot({ id }), name: null, role: null, status: 'deleted', updatedAt: AFTER_EVERYTHING };
}

function timeOf(milliseconds: number | null | undefined): Date | null {
  return milliseconds == null ? null : new Date(milliseconds);
}

/** The entry with the primary id; where that points at nothing, the first verified one. */
function primary<T extends Verifiable>(entries: T[] = [], primaryId?: string | null): T | undefined {
  return (
    entries.find((entry) => entry.id === primaryId) ??
    entries.find((entry) => entry.verification?.status === 'verified')
  );
}
