-- Three roles for PostgreSQL, so that each holds no more than its task needs:
--
--   usersync_owner    owns the schema and all in it: `usersync migrate` connects as this one
--   usersync_service  reads and writes rows, changes no table: `usersync serve` with USERSYNC_MIGRATE=check
--   usersync_reader   reads the view users_live and nothing else: the application
--
-- Run it in the database of the service, as a superuser or as the database's owner with CREATEROLE, before the first
-- migration and again after it (a right on a view can only be given once there is the view):
--
--   psql -d DATABASE -f docs/sql/roles.sql                      the schema is `usersync`
--   psql -d DATABASE -v schema=NAME -f docs/sql/roles.sql       another USERSYNC_SCHEMA
--
-- It may be run again at any time, and takes over a schema that was made without it. The roles have no password
-- and so cannot log in over the network until they are given one: \password usersync_service

\set ON_ERROR_STOP on
\if :{?schema}
\else
  \set schema usersync
\endif

BEGIN;

-- The roles.
SELECT format('CREATE ROLE %I LOGIN', wanted)
FROM unnest(ARRAY['usersync_owner', 'usersync_service', 'usersync_reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO usersync_owner, usersync_service, usersync_reader', current_database())
\gexec

-- A role that is no superuser must be a member of the owner to act for it below.
SELECT format('GRANT usersync_owner TO %I', current_user)
FROM pg_roles
WHERE rolname = current_user AND NOT rolsuper AND rolname <> 'usersync_owner'
\gexec

-- The schema, and what an earlier, single role may have made in it.
SELECT format('CREATE SCHEMA %I AUTHORIZATION usersync_owner', :'schema')
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema')
\gexec
ALTER SCHEMA :"schema" OWNER TO usersync_owner;
-- Tables, views and sequences; a sequence that belongs to a column follows its table.
SELECT format('ALTER TABLE %s OWNER TO usersync_owner', relation.oid::regclass)
FROM pg_class AS relation
WHERE relation.relnamespace = quote_ident(:'schema')::regnamespace
  AND relation.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND relation.relowner <> 'usersync_owner'::regrole
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype IN ('a', 'i')
        AND relation.relkind = 'S'
  )
\gexec

-- The service: rows, in the tables of today and of every later migration.
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC, usersync_service, usersync_reader;
GRANT USAGE ON SCHEMA :"schema" TO usersync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO usersync_service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA :"schema" TO usersync_service;
ALTER DEFAULT PRIVILEGES FOR ROLE usersync_owner IN SCHEMA :"schema"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO usersync_service;
ALTER DEFAULT PRIVILEGES FOR ROLE usersync_owner IN SCHEMA :"schema"
    GRANT USAGE, SELECT ON SEQUENCES TO usersync_service;
-- Which migrations were applied is for it to read, and never to rewrite.
SELECT format('REVOKE UPDATE, DELETE ON %I.__diesel_schema_migrations FROM usersync_service', :'schema')
WHERE to_regclass(format('%I.__diesel_schema_migrations', :'schema')) IS NOT NULL
\gexec

-- The reader: one view. A view reads its tables with its owner's rights, so the reader needs none on them.
GRANT USAGE ON SCHEMA :"schema" TO usersync_reader;
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM usersync_reader;
SELECT to_regclass(format('%I.users_live', :'schema')) IS NOT NULL AS view_exists
\gset
\if :view_exists
  GRANT SELECT ON :"schema".users_live TO usersync_reader;
\else
  \warn 'roles.sql: there is no view users_live yet; run this file again after the first migration'
\endif

COMMIT;
