/* SPDX-License-Identifier: Apache-2.0 */
#include "record/history_db.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

/* Settings: a small cache (the whole daemon fits in 16 MiB), no file locks between transactions
 * (one writer, and no foreign reader can hold it up), no fsync but at checkpoints. */
static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE;"
			       "PRAGMA journal_mode=WAL;"
			       "PRAGMA synchronous=NORMAL;"
			       "PRAGMA cache_size=-256;"
			       "PRAGMA wal_autocheckpoint=256;"
			       "PRAGMA journal_size_limit=4194304;"
			       "PRAGMA temp_store=MEMORY;"
			       "PRAGMA trusted_schema=OFF;"
			       "PRAGMA max_page_count=131072;";
_Static_assert(KM_HISTORY_PAGES_MAX == 131072, "as in the settings");

/* Every table: n rises with time, realtime_ns is what retention goes by. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS decision(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" t_ns INTEGER NOT NULL, id INTEGER NOT NULL, incident_id INTEGER NOT NULL,"
	" service TEXT NOT NULL, rule TEXT NOT NULL, answer TEXT NOT NULL, verb TEXT NOT NULL,"
	" reason TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS decision_id ON decision(id);"
	"CREATE INDEX IF NOT EXISTS decision_incident ON decision(incident_id);"
	"CREATE INDEX IF NOT EXISTS decision_service ON decision(service);"
	"CREATE TABLE IF NOT EXISTS incident(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" id INTEGER NOT NULL UNIQUE, opened_ns INTEGER NOT NULL, service TEXT NOT NULL,"
	" rule TEXT NOT NULL, decisions INTEGER NOT NULL, acts INTEGER NOT NULL,"
	" answer TEXT NOT NULL, reason TEXT NOT NULL, verdict TEXT);"
	"CREATE TABLE IF NOT EXISTS outcome(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" t_ns INTEGER NOT NULL, decision_id INTEGER NOT NULL, service TEXT NOT NULL,"
	" state INTEGER NOT NULL, verb TEXT NOT NULL, error INTEGER NOT NULL,"
	" recovered INTEGER NOT NULL, tgid INTEGER NOT NULL, detail TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS outcome_decision ON outcome(decision_id);"
	"CREATE TABLE IF NOT EXISTS verdict(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" t_ns INTEGER NOT NULL, decision_id INTEGER NOT NULL, incident_id INTEGER NOT NULL,"
	" kind TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS verdict_decision ON verdict(decision_id);"
	"CREATE INDEX IF NOT EXISTS verdict_incident ON verdict(incident_id);"
	"CREATE TABLE IF NOT EXISTS forecast(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" t_ns INTEGER NOT NULL, service TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS forecast_service ON forecast(service, realtime_ns);"
	"CREATE TABLE IF NOT EXISTS evidence(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" t_ns INTEGER NOT NULL, incident_id INTEGER NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS evidence_incident ON evidence(incident_id);"
	"CREATE TABLE IF NOT EXISTS audit(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" what TEXT NOT NULL, uid INTEGER NOT NULL, tgid INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS down(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" from_ns INTEGER NOT NULL, service TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS service(id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS chunk(n INTEGER PRIMARY KEY, realtime_ns INTEGER NOT NULL,"
	" start_ms INTEGER NOT NULL, service_id INTEGER NOT NULL, resource INTEGER NOT NULL,"
	" start_level INTEGER NOT NULL, max INTEGER NOT NULL, count INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE INDEX IF NOT EXISTS chunk_series ON chunk(service_id, resource, start_ms);"
	"PRAGMA user_version=1;";

static const char *const sql[KM_ST_MAX] = {
	[KM_ST_BEGIN] = "BEGIN IMMEDIATE",
	[KM_ST_COMMIT] = "COMMIT",
	[KM_ST_ROLLBACK] = "ROLLBACK",
	[KM_ST_DECISION] =
		"INSERT INTO decision(realtime_ns, t_ns, id, incident_id, service, rule, answer,"
		" verb, reason, text) VALUES(?,?,?,?,?,?,?,?,?,?)",
	[KM_ST_INCIDENT] =
		"INSERT INTO incident(realtime_ns, opened_ns, id, service, rule, decisions, acts,"
		" answer, reason) VALUES(?1,?1,?2,?3,?4,1,?5,?6,?7)"
		" ON CONFLICT(id) DO UPDATE SET realtime_ns=?1, decisions=decisions+1,"
		" acts=acts+?5, answer=?6, reason=?7",
	[KM_ST_INCIDENT_VERDICT] = "UPDATE incident SET realtime_ns=?1, verdict=?2 WHERE id=?3",
	[KM_ST_OUTCOME] = "INSERT INTO outcome(realtime_ns, t_ns, decision_id, service, state,"
			  " verb, error, recovered, tgid, detail) VALUES(?,?,?,?,?,?,?,?,?,?)",
	[KM_ST_VERDICT] = "INSERT INTO verdict(realtime_ns, t_ns, decision_id, incident_id, kind,"
			  " reason, text) VALUES(?,?,?,?,?,?,?)",
	[KM_ST_FORECAST] = "INSERT INTO forecast(realtime_ns, t_ns, service, text) VALUES(?,?,?,?)",
	[KM_ST_EVIDENCE] =
		"INSERT INTO evidence(realtime_ns, t_ns, incident_id, text) VALUES(?,?,?,?)",
	[KM_ST_AUDIT] = "INSERT INTO audit(realtime_ns, what, uid, tgid) VALUES(?,?,?,?)",
	[KM_ST_DOWN] = "INSERT INTO down(realtime_ns, from_ns, service) VALUES(?,?,?)",
	[KM_ST_SERVICE] = "INSERT OR REPLACE INTO service(id, name) VALUES(?,?)",
	[KM_ST_CHUNK] = "INSERT INTO chunk(realtime_ns, start_ms, service_id, resource,"
			" start_level, max, count, data) VALUES(?,?,?,?,?,?,?,?)",
};

static void say(struct km_history *h, const char *what, const char *remedy)
{
	if (h->aside[0])
		snprintf(h->trouble, sizeof(h->trouble),
		         "history was damaged and set aside as %s (%s); %s", h->aside, what,
		         remedy);
	else
		snprintf(h->trouble, sizeof(h->trouble), "history cannot be written: %s; %s", what,
		         remedy);
}

void km_db_close(struct km_history *h)
{
	for (int i = 0; i < KM_ST_MAX; i++) {
		sqlite3_finalize(h->st[i]);
		h->st[i] = NULL;
	}
	sqlite3_close_v2(h->db);
	h->db = NULL;
	h->writing = false;
}

static bool damaged(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

static int first_text(struct km_history *h, const char *query, char *out, size_t size)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(h->db, query, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);

		km_copy(out, size, text ? text : "");
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

static int check(struct km_history *h, const char *path)
{
	struct stat sb;
	char said[128] = "ok";
	int rc;

	if (stat(path, &sb) == 0 && sb.st_size <= KM_HISTORY_CHECK_MAX) {
		rc = first_text(h, "PRAGMA quick_check(1)", said, sizeof(said));
		if (rc != SQLITE_OK)
			return rc;
	}
	if (strcmp(said, "ok") != 0)
		return SQLITE_CORRUPT;
	rc = first_text(h, "PRAGMA user_version", said, sizeof(said));
	if (rc == SQLITE_OK && strcmp(said, "0") != 0 && strcmp(said, "1") != 0)
		return SQLITE_CORRUPT; /* of a later version: not ours to change */
	return rc;
}

static int prepare(struct km_history *h)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < KM_ST_MAX && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(h->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &h->st[i],
		                        NULL);
	return rc;
}

/* SQLite resolves every path to an absolute one without links, which leads through directories that
 * our user may not enter; the name of an open descriptor needs none of them. The file itself must
 * still be no symlink: SQLite opens with O_NOFOLLOW. */
static int full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return km_copy(out, (size_t)size, name) ? SQLITE_OK : SQLITE_CANTOPEN;
}

int km_db_register(struct km_history *h)
{
	const sqlite3_vfs *own = sqlite3_vfs_find(NULL);

	if (!own)
		return -ENOMEM;
	h->vfs = *own;
	snprintf(h->vfs_name, sizeof(h->vfs_name), "km-%p", (void *)h);
	h->vfs.zName = h->vfs_name;
	h->vfs.pNext = NULL;
	h->vfs.xFullPathname = full_pathname;
	return sqlite3_vfs_register(&h->vfs, 0) == SQLITE_OK ? 0 : -ENOMEM;
}

void km_db_unregister(struct km_history *h)
{
	if (h->vfs.zName)
		sqlite3_vfs_unregister(&h->vfs);
}

static int open_file(struct km_history *h)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
	                  SQLITE_OPEN_PRIVATECACHE;
	char path[KM_PATH_MAX + sizeof(KM_HISTORY_FILE)];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", h->dir, KM_HISTORY_FILE);
	rc = sqlite3_open_v2(path, &h->db, flags, h->vfs_name);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_extended_result_codes(h->db, 1);
	sqlite3_db_config(h->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = sqlite3_exec(h->db, settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = check(h, path);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(h->db, schema, NULL, NULL, NULL);
	return rc == SQLITE_OK ? prepare(h) : rc;
}

/* A name that is free, so that nothing set aside before is lost. */
static int set_aside(struct km_history *h)
{
	static const char *const suffix[] = { "", "-wal", "-shm" };
	char from[KM_PATH_MAX + 32], to[KM_PATH_MAX + 64];
	struct stat sb;

	for (int n = 1; n < 1000; n++) {
		snprintf(to, sizeof(to), "%s/%s.damaged-%d", h->dir, KM_HISTORY_FILE, n);
		if (lstat(to, &sb) == 0)
			continue;
		for (size_t i = 0; i < KM_ARRAY_SIZE(suffix); i++) {
			snprintf(from, sizeof(from), "%s/%s%s", h->dir, KM_HISTORY_FILE, suffix[i]);
			snprintf(to, sizeof(to), "%s/%s.damaged-%d%s", h->dir, KM_HISTORY_FILE, n,
			         suffix[i]);
			if (rename(from, to) < 0 && i == 0)
				return -errno;
		}
		snprintf(h->aside, sizeof(h->aside), "%s.damaged-%d", KM_HISTORY_FILE, n);
		return 0;
	}
	return -EEXIST;
}

static const char *remedy_for(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return "make room in the state directory";
	case SQLITE_BUSY:
		return "another process has it open: end it";
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return "make the state directory writable for kmend";
	default:
		return "look at the disk below the state directory";
	}
}

void km_db_open(struct km_history *h)
{
	int rc = open_file(h);

	h->trouble[0] = '\0';
	if (damaged(rc)) {
		km_db_close(h);
		if (set_aside(h) == 0)
			rc = open_file(h);
	}
	if (rc != SQLITE_OK)
		km_db_close(h);
	if (rc != SQLITE_OK || h->aside[0])
		say(h, sqlite3_errstr(rc == SQLITE_OK ? SQLITE_CORRUPT : rc),
		    rc == SQLITE_OK ? "a new one was begun; keep or remove the old one and restart"
		                    : remedy_for(rc));
}

void km_db_trouble(struct km_history *h, int rc)
{
	h->lost += h->rows;
	h->rows = 0;
	if (h->writing && !sqlite3_get_autocommit(h->db)) {
		sqlite3_step(h->st[KM_ST_ROLLBACK]);
		sqlite3_reset(h->st[KM_ST_ROLLBACK]);
	}
	km_db_close(h);
	if (damaged(rc) && set_aside(h) == 0)
		km_db_open(h);
	else
		say(h, sqlite3_errstr(rc), remedy_for(rc));
}

static int bind(sqlite3_stmt *st, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; *types && rc == SQLITE_OK; i++, types++) {
		if (*types == 'i') {
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*types == 's') {
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			const void *data = va_arg(ap, const void *);
			size_t len = va_arg(ap, size_t);

			rc = sqlite3_bind_blob64(st, i, data, len, SQLITE_STATIC);
		}
	}
	return rc;
}

static int step(struct km_history *h, enum km_statement s)
{
	int rc = sqlite3_step(h->st[s]);

	sqlite3_reset(h->st[s]);
	sqlite3_clear_bindings(h->st[s]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int km_db_write(struct km_history *h, enum km_statement s, const char *types, ...)
{
	va_list ap;
	int rc = SQLITE_OK;

	if (!h)
		return 0;
	if (!h->db) {
		h->lost++;
		return 0;
	}
	h->rows++;
	h->rows_since_trim++;
	h->urgent |= s != KM_ST_CHUNK && s != KM_ST_SERVICE;
	if (!h->writing)
		rc = step(h, KM_ST_BEGIN);
	if (rc == SQLITE_OK) {
		h->writing = true;
		va_start(ap, types);
		rc = bind(h->st[s], types, ap);
		va_end(ap);
	}
	if (rc == SQLITE_OK)
		rc = step(h, s);
	if (rc != SQLITE_OK)
		km_db_trouble(h, rc);
	return 0;
}

int km_db_commit(struct km_history *h)
{
	int rc;

	if (!h->db || !h->writing)
		return 0;
	rc = step(h, KM_ST_COMMIT);
	if (rc != SQLITE_OK) {
		km_db_trouble(h, rc);
		return 0;
	}
	h->writing = false;
	h->urgent = false;
	h->rows = 0;
	return 0;
}

sqlite3_stmt *km_db_query(struct km_history *h, const char *query, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int rc;

	if (!h || !h->db)
		return NULL;
	rc = sqlite3_prepare_v2(h->db, query, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		va_start(ap, types);
		rc = bind(st, types, ap);
		va_end(ap);
	}
	if (rc == SQLITE_OK)
		return st;
	sqlite3_finalize(st);
	km_db_trouble(h, rc);
	return NULL;
}

bool km_db_row(struct km_history *h, sqlite3_stmt *st)
{
	int rc;

	if (!st)
		return false;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		km_db_trouble(h, rc);
	return false;
}
