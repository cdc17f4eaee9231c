/* SPDX-License-Identifier: Apache-2.0 */
/* Private to record/: the database below the history, its statements and its troubles. */
#ifndef KM_HISTORY_DB_H
#define KM_HISTORY_DB_H

#include <sqlite3.h>

#include "base/table.h"
#include "record/chunk.h"
#include "record/history.h"

#define KM_HISTORY_FILE "history.db"
/* Past it the oldest samples go, whatever their age. 4 KiB pages: 512 MiB. */
#define KM_HISTORY_PAGES_MAX 131072
/* quick_check reads all: about 0.3 s for this much. A larger file is taken as it is, and damage is
 * found when it is met. */
#define KM_HISTORY_CHECK_MAX (32 * 1024 * 1024)
#define KM_HISTORY_RETRY_NS  (60 * KM_NS_PER_S)
/* Packed samples alone wait so long for their commit: a few pages each time, written once. */
#define KM_HISTORY_LAZY_NS (10 * KM_NS_PER_S)

enum km_statement {
	KM_ST_BEGIN,
	KM_ST_COMMIT,
	KM_ST_ROLLBACK,
	KM_ST_DECISION,
	KM_ST_INCIDENT,
	KM_ST_INCIDENT_VERDICT,
	KM_ST_OUTCOME,
	KM_ST_VERDICT,
	KM_ST_FORECAST,
	KM_ST_EVIDENCE,
	KM_ST_AUDIT,
	KM_ST_DOWN,
	KM_ST_SERVICE,
	KM_ST_CHUNK,
	KM_ST_MAX
};

struct km_history {
	char dir[KM_PATH_MAX];
	int dir_fd; /* ours, or -1; DIR is then its name below /proc/self/fd */
	sqlite3_vfs vfs;
	char vfs_name[32];
	sqlite3 *db; /* NULL: cannot be used */
	sqlite3_stmt *st[KM_ST_MAX];
	struct km_table *chunks; /* struct km_chunk */
	bool writing;            /* a transaction is open */
	bool urgent;             /* ... with more than samples in it */
	uint64_t commit_ns;      /* when samples alone are committed */
	uint64_t rows;           /* in it */
	uint64_t rows_since_trim;
	uint64_t lost;
	uint32_t audits; /* in this pass */
	uint64_t retry_ns;
	uint64_t trim_ns;
	uint64_t offset_ns; /* real time minus boot time, as last told */
	char aside[KM_PATH_MAX];
	char trouble[KM_PATH_MAX + 256];
};

/* Between these two h->vfs is SQLite's own file access, with paths taken as they are. */
int km_db_register(struct km_history *h);
void km_db_unregister(struct km_history *h);
/* Opens the file, or sets a damaged one aside and begins a new one. On failure the trouble is said
 * and h->db is NULL. */
void km_db_open(struct km_history *h);
void km_db_close(struct km_history *h);
/* RC of SQLite as trouble: rolls back, counts what is lost, and closes or sets aside. */
void km_db_trouble(struct km_history *h, int rc);
/* Steps statement S with values by TYPES: i int64_t or uint64_t, s text or NULL, b blob and its
 * size_t. Opens the transaction. 0 also if the row was lost (counted). */
int km_db_write(struct km_history *h, enum km_statement s, const char *types, ...);
/* A query, bound in the same way; NULL: none (trouble is set). sqlite3_finalize() it. */
sqlite3_stmt *km_db_query(struct km_history *h, const char *sql, const char *types, ...);
/* Next row: true; false at the end or on trouble. */
bool km_db_row(struct km_history *h, sqlite3_stmt *st);
int km_db_commit(struct km_history *h);

#endif
