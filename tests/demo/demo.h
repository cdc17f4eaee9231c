/* SPDX-License-Identifier: Apache-2.0 */
/* The demo: what was seen in the trace and the action journal, and what must be true of it. */
#ifndef KM_DEMO_H
#define KM_DEMO_H

#include "base/base.h"

/* A demo of 90 s says some hundred things; a runaway one is cut off here and fails. */
#define ROWS_MAX 4096

enum row_kind { ROW_FORECAST, ROW_DECISION, ROW_VERDICT, ROW_EVENT, ROW_INTENT, ROW_STARTED };

/* One thing that the daemon said (trace) or wrote down (journal). */
struct row {
	enum row_kind kind;
	uint64_t t_ns;
	uint64_t id; /* decision */
	char service[64];
	char what[64]; /* resource, answer, verdict, event or verb */
	char rule[64];
	char text[256];
	double eta_s, lo_s, hi_s, p; /* forecast in force: p > 0 */
	uint32_t pid;                /* started: main process; ended: who sent the signal */
	char sender[32];
	bool asked, oom;
	int signal;
};

struct rows {
	struct row row[ROWS_MAX];
	size_t count;
	bool full;
};

/* Adds what the trace file says, in its order. 0, or negative errno. */
int demo_read_trace(const char *path, struct rows *ret);
/* Adds intents and starts of DIR/journal; -EBADMSG: the chain does not hold. */
int demo_read_journal(const char *dir, struct rows *ret);

struct demo_check {
	const char *service;
	const char *claim;
	bool holds;
	char detail[288];
};

#define DEMO_CHECKS 16

/* Looks at all claims; how many there are. OUTSIDER: pid of who killed the victim. */
size_t demo_check(const struct rows *rows, uint32_t outsider, struct demo_check ret[DEMO_CHECKS]);

#endif
