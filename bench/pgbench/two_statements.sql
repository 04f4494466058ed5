-- One event a transaction: the guarded upsert of a user and the record of the delivery, as a careful application
-- would write them, with values as wide as those of real events. No HTTP, no signature, no JSON.
--
-- pgbench -n -M prepared -c 16 -D clients=16 -D k=0 -D first=10000 -D users=10000 -D updated=0 -f two_statements.sql
--   updated=0: every event a new user, numbers ascending from `first`; updated=1: one of `users`, at random.
\set k :k + 1
\if :updated
\set n random(0, :users - 1)
\else
\set n :first + :k * :clients + :client_id
\endif
\set message :k * :clients + :client_id
BEGIN;
INSERT INTO bench_pgbench.users (
    id, source, external_id, email, email_lower, email_verified, username, first_name, last_name, name, image_url,
    role, source_role, plan, public_metadata, status,
    version_updated_at, version_projection, version_kind, version_seen_at, version_digest,
    last_sign_in_at, source_created_at, created_at, updated_at, synced_at
)
SELECT
    '019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'),
    'clerk',
    'user_2a' || lpad(n::text, 25, '0'),
    'Katarzyna.Lovelace' || n || '@example.com',
    'katarzyna.lovelace' || n || '@example.com',
    true,
    'katarzyna_' || n,
    'Katarzyna',
    'Lovelace',
    'Katarzyna Lovelace',
    'https://img.clerk.com/eyJpaWQiOiJpbnNfMmFMb2FkR2VuZXJhdG9ySW5zdGFuY2UwMDAxIiwiaW5pdGlhbHMiOiJLIiwicmlkIjoidXNlcl8yYUtW'
        || lpad(n::text, 40, 'x'),
    'user',
    'user',
    'free',
    '{"onboarded": true, "role": "user", "visits": 3}'::jsonb,
    'active',
    ms, 1, 1, ms + 18, sha256(int8send(n + ms)),
    now(), now(), now(), now(), now()
FROM (
    SELECT :n::bigint AS n, (extract(epoch FROM now()) * 1000)::bigint AS ms
) AS events
ON CONFLICT (external_id, source) DO UPDATE SET
    email = excluded.email, email_lower = excluded.email_lower, email_verified = excluded.email_verified,
    username = excluded.username, first_name = excluded.first_name, last_name = excluded.last_name,
    name = excluded.name, image_url = excluded.image_url, role = excluded.role, source_role = excluded.source_role,
    public_metadata = excluded.public_metadata, status = excluded.status,
    version_updated_at = excluded.version_updated_at, version_projection = excluded.version_projection,
    version_kind = excluded.version_kind, version_seen_at = excluded.version_seen_at,
    version_digest = excluded.version_digest, last_sign_in_at = excluded.last_sign_in_at,
    source_created_at = excluded.source_created_at, updated_at = excluded.updated_at, synced_at = excluded.synced_at
WHERE (users.version_updated_at, users.version_projection, users.version_kind, users.version_seen_at,
       users.version_digest)
    < (excluded.version_updated_at, excluded.version_projection, excluded.version_kind, excluded.version_seen_at,
       excluded.version_digest);
INSERT INTO bench_pgbench.webhook_events (source, message_id, type, external_id, outcome, received_at)
SELECT
    'clerk',
    'msg_2a' || lpad(message::text, 25, '0'),
    'user.updated',
    'user_2a' || lpad(n::text, 25, '0'),
    'applied',
    now()
FROM (
    SELECT :n::bigint AS n, :message::bigint AS message
) AS events;
COMMIT;
