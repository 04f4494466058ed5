-- Rows without a user, to see that nothing personal is left in them.
CREATE INDEX IF NOT EXISTS users_deleted ON users (external_id) WHERE status = 'deleted';
