/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values as they come (RFC 4180, and what exporters make of it): quotes, CRLF or
 * LF, a byte order mark, empty lines, missing cells. Streams: one record is in memory. */
#ifndef KM_CSV_H
#define KM_CSV_H

#include "base/base.h"

/* A record of all columns at 24 digits each, with room for text. */
#define KM_CSV_RECORD_MAX (256 * 1024)
/* More than any exporter joins: 1,000 services with one metric each, in one file. */
#define KM_CSV_COLUMNS_MAX 1024

struct km_csv_record {
	uint64_t line; /* where it begins, from 1 */
	size_t count;
	const char **cell; /* valid until the next km_csv_next() */
};

struct km_csv;

/* FD stays the caller's. */
int km_csv_new(int fd, struct km_csv **ret);
struct km_csv *km_csv_free(struct km_csv *c);
KM_DEFINE_FREEP(struct km_csv, km_csv_free)

/* 1: *RET is the next record; 0: the end; -EBADMSG: a quote without its end, or a NUL; -E2BIG: one
 * of the maxima above; or what read(2) says. km_csv_line() tells where. */
int km_csv_next(struct km_csv *c, struct km_csv_record *ret);
uint64_t km_csv_line(const struct km_csv *c);

enum km_csv_kind {
	KM_CSV_MISSING = 0, /* empty, "NaN", "NA", "null", "-" */
	KM_CSV_NUMBER,
	KM_CSV_INFINITE, /* a number, but none to calculate with; too large as well */
	KM_CSV_TEXT,
};

/* *RET only for a number. */
enum km_csv_kind km_csv_number(const char *cell, double *ret);
/* "2014-04-01 00:00:00", with T, fraction, Z or offset as well (without one: UTC), or a number:
 * seconds, or since 1970 in milli-, micro- or nanoseconds if it is too large for that. *RET in ns.
 * -EINVAL: none of these; -ERANGE: before 0, or past the year 2200. */
int km_csv_time(const char *cell, uint64_t *ret_ns);

#endif
