-- Live rows by when the provider created their users: jobs compare each page with its part of it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_source_created_at ON users (source_created_at) WHERE status <> 'deleted';
