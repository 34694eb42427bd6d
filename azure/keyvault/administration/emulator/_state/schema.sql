-- Each record is a JSON document (see _domain/documents.py); only what is searched for has a column of its own.
-- rowid is the order of creation: replacing a record keeps it.

CREATE TABLE facts (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

CREATE TABLE role_definitions (
    name TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE role_assignments (
    name TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE keys (
    name TEXT PRIMARY KEY NOT NULL,
    deleted INTEGER,
    document TEXT NOT NULL
);

CREATE INDEX deleted_keys ON keys (deleted) WHERE deleted IS NOT NULL;

CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL
);
