-- `batch` events a transaction, the fastest decent way: the guarded upsert of users and the record of deliveries, by two
-- statements that make their rows on the server, with values as wide as those of real events. So transactions a second
-- times `batch` is events a second. No HTTP, no signature, no JSON.
--
-- pgbench -n -M prepared -c 1 -D clients=1 -D k=-1 -D first=0 -D users=10000 -D batch=200 -D updated=0 -f events.sql
--   updated=0: every event a new user, numbers ascending from `first`; updated=1: `batch` of `users`, evenly spread
--   from a random start. Rows are written in the order of external ids, so that clients do not deadlock.
\set k :k + 1
\set message (:k * :clients + :client_id) * :batch
\if :updated
\set base random(0, :users - 1)
\set step :users / :batch
\set wrap :users
\else
\set base :first + :message
\set step 1
\set wrap 1000000000000
\endif
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
    SELECT (:base::bigint + i * :step::bigint) % :wrap::bigint AS n,
           (extract(epoch FROM now()) * 1000)::bigint AS ms
    FROM generate_series(0, :batch::int - 1) AS i
) AS events
ORDER BY n
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
    'msg_2a' || lpad((:message::bigint + i)::text, 25, '0'),
    'user.updated',
    'user_2a' || lpad(n::text, 25, '0'),
    'applied',
    now()
FROM (
    SELECT i, (:base::bigint + i * :step::bigint) % :wrap::bigint AS n
    FROM generate_series(0, :batch::int - 1) AS i
) AS events;
COMMIT;
