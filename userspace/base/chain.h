/* SPDX-License-Identifier: Apache-2.0 */
/* Files of fixed-size records: append-only, preallocated, each record synced before it counts, with
 * its own digest and that of the one before it.
 *
 * Segments DIR/<prefix>-NNNNNNNN; the first record of each is an OPEN. A segment is a file of
 * zeros, synced with its directory before its name appears, and the next one is there before the
 * present one is full: a full disk takes nothing away from what is still to be written. Damage: the
 * good prefix is kept, the bad file set aside as NAME.damaged, a new segment begun. What cannot be
 * seen: that the newest records were wiped out (zeros again), or the oldest segments removed. */
#ifndef KM_CHAIN_H
#define KM_CHAIN_H

#include "base/sha256.h"

#define KM_CHAIN_RECORD_SIZE 1024
/* 1 MiB a segment. */
#define KM_CHAIN_SEGMENT_RECORDS 1024
/* 16 MiB of history; older segments are dropped. */
#define KM_CHAIN_SEGMENTS_KEPT 16
/* Beyond it a directory is being damaged again and again, and people must look. */
#define KM_CHAIN_DAMAGED_MAX 9

#define KM_CHAIN_OPEN        1 /* kind: a segment begins; the user's kinds are greater */

/* Little endian. The user's own struct has the same size, head and tail. */
struct km_chain_record {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint64_t sequence; /* 1, 2, 3, ... over all segments */
	uint64_t t_ns;     /* boot time */
	uint64_t realtime_ns;
	uint8_t boot_id[16]; /* boot times compare only within one boot */
	uint64_t id;         /* the user's; OPEN: the highest of id_kind so far */
	int32_t error; /* the user's; OPEN: why the segment before was left, 0 if it was full */
	uint8_t body[KM_CHAIN_RECORD_SIZE - 60 - 2 * KM_SHA256_SIZE];
	uint8_t previous[KM_SHA256_SIZE];
	uint8_t digest[KM_SHA256_SIZE]; /* of all bytes before it */
};
_Static_assert(sizeof(struct km_chain_record) == KM_CHAIN_RECORD_SIZE, "an ABI");

struct km_chain_opts {
	char prefix[16];
	uint32_t magic;
	uint16_t version;
	uint16_t kinds;   /* one more than the greatest */
	uint16_t id_kind; /* whose highest id each OPEN carries on */
	/* NULL, or what is wrong with a record whose digest is right; may be NULL itself. */
	const char *(*wrong)(const struct km_chain_record *r);
	/* Sees every good record, oldest first; may be NULL. */
	void (*cb)(void *userdata, const struct km_chain_record *r);
	void *userdata;
};

struct km_chain;

/* For writing; what was there is verified, and CB called, before it returns. *RET is the
 * caller's. */
int km_chain_open(int dir_fd, const struct km_chain_opts *opts, struct km_chain **ret);
struct km_chain *km_chain_close(struct km_chain *c);
KM_DEFINE_FREEP(struct km_chain, km_chain_close)

/* Fills in magic to boot_id, chain and digest of *R, writes and syncs it. -EIO after a failed sync:
 * the segment is left, a new one begun, and the record is NOT to be taken as written. */
int km_chain_add(struct km_chain *c, struct km_chain_record *r);
/* The same in two steps, for what can be got ready meanwhile: the disk is at work on *R when
 * km_chain_write() returns, and *R counts when km_chain_sync() has. Nothing is added in between. */
int km_chain_write(struct km_chain *c, struct km_chain_record *r);
int km_chain_sync(struct km_chain *c, const struct km_chain_record *r);
/* Damage was found, a sync failed, or there is no room for the next segment. */
bool km_chain_degraded(const struct km_chain *c);
/* Records that can be written whatever happens to the disk's free space. */
unsigned int km_chain_room(const struct km_chain *c);
/* Makes the next segment in good time; takes some ms. */
void km_chain_prepare(struct km_chain *c);
/* A boot that cannot be told apart from others is none: what was done in it would be forgotten. */
int km_chain_boot_id(uint8_t ret[16]);

struct km_chain_report {
	uint64_t records;
	uint64_t segments;
	uint64_t bad_sequence; /* first bad record, 0: none */
	char file[64];         /* in which segment */
	char what[128];        /* what is wrong there, empty: nothing */
};

/* Read-only proof of the whole. 0 good, -EBADMSG with *RET filled in, or another errno. */
int km_chain_verify(int dir_fd, const struct km_chain_opts *opts, struct km_chain_report *ret);

#endif
