-- The roles of an application on its database, with passwords for trying out. A
-- new container of PostgreSQL runs this once, as its superuser.

-- Makes tables, schemas and tenants' own databases.
CREATE ROLE owner LOGIN CREATEDB PASSWORD 'owner';
-- Serves requests. It owns nothing, and row-level security holds it.
CREATE ROLE app LOGIN PASSWORD 'app';
-- Works across tenants, and leaves a trail of it.
CREATE ROLE system LOGIN BYPASSRLS PASSWORD 'system';

ALTER DATABASE example OWNER TO owner;
