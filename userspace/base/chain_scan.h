/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a chain: shared by the proof (chain_verify.c) and by opening for writing (chain.c). */
#ifndef KM_CHAIN_SCAN_H
#define KM_CHAIN_SCAN_H

#include "base/chain.h"

#define KM_CHAIN_SEGMENT_BYTES ((size_t)KM_CHAIN_SEGMENT_RECORDS * KM_CHAIN_RECORD_SIZE)
/* Far more than are kept: a directory with more is not ours. */
#define KM_CHAIN_SEGMENTS_MAX 1024

struct km_chain_scan {
	const struct km_chain_opts *o;
	struct km_chain_report report;
	unsigned int numbers[KM_CHAIN_SEGMENTS_MAX]; /* of all segments, ascending */
	unsigned int count;
	unsigned int segment; /* last one with a record, 0: none */
	unsigned int slots;   /* records in it */
	unsigned int bad;     /* segment with the first damage, 0: none */
	unsigned int good;    /* records before the damage in it */
	uint64_t id;          /* highest so far */
	struct km_chain_record last;
};

/* 0 also where something is bad: s->bad says so. Negative errno: could not be read. */
int km_chain_scan(int dir_fd, const struct km_chain_opts *opts, struct km_chain_scan *ret);
void km_chain_digest(const struct km_chain_record *r, uint8_t ret[KM_SHA256_SIZE]);
/* PREFIX-NNNNNNNN into RET. */
void km_chain_name(const struct km_chain_opts *o, unsigned int number, char ret[32]);

#endif
