-- Rows without a user, to see that nothing personal is left in them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_deleted ON users (external_id) WHERE status = 'deleted';
