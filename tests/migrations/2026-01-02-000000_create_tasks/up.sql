-- Refers to a table that is protected already where tenants share it.
CREATE TABLE "tenant".tasks (
    id bigserial PRIMARY KEY,
    title text NOT NULL,
    done boolean NOT NULL DEFAULT false,
    list_id bigint REFERENCES "tenant".lists ON DELETE CASCADE,
    follows bigint REFERENCES "tenant".tasks (id) ON DELETE SET NULL,
    country text REFERENCES "shared".countries,
    UNIQUE (list_id, title)
);
CREATE INDEX tasks_follows_idx ON "tenant".tasks (follows);
CREATE UNIQUE INDEX tasks_lower_title_idx ON "tenant".tasks (lower(title) DESC)
    INCLUDE (done) WHERE list_id IS NULL;
