/* SPDX-License-Identifier: Apache-2.0 */
/* The action journal: fixed-size records, append-only, preallocated, checksummed and hash-chained;
 * the intent is on disk before the act. Segment files DIR/journal-NNNNNNNN; each record holds the
 * digest of the one before, the first of a segment that of the last of the segment before. Damage:
 * the good prefix is kept, the bad file set aside as NAME.damaged, a new segment begun, and
 * degraded set. */
#ifndef KM_JOURNAL_H
#define KM_JOURNAL_H

#include "collect/raw.h"
#include "base/sha256.h"

#define KM_JOURNAL_RECORD_SIZE 1024
#define KM_JOURNAL_SEGMENT_RECORDS \
	1024 /* 1 MiB, written with zeros beforehand: no space is needed later */

enum km_journal_kind {
	KM_J_OPEN = 1,    /* a segment begins */
	KM_J_INTENT = 2,  /* about to act */
	KM_J_OUTCOME = 3, /* what came of it */
	KM_J_STARTED = 4, /* a supervised main process: tgid, start_ns, cgroup_id, for adoption */
	KM_J_REFUSED = 5, /* asked for and not allowed */
	KM_J_KIND_MAX
};

/* One record as it lies on disk, little endian, exactly KM_JOURNAL_RECORD_SIZE bytes. */
struct km_journal_record {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint64_t sequence; /* 1, 2, 3, ... over all segments */
	uint64_t t_ns;     /* boot time */
	uint64_t realtime_ns;
	uint8_t boot_id[16]; /* boot times compare only within one boot */
	uint64_t intent_id;
	uint64_t cgroup_id;
	uint64_t start_ns;
	uint64_t limit;
	uint32_t tgid;
	uint32_t verb;
	int32_t signal;
	int32_t error;
	uint32_t state; /* enum km_outcome_state */
	uint32_t pad;
	uint8_t invocation[16]; /* systemd's InvocationID before the act, zeros if there is none */
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	char detail[KM_NAME_MAX];
	uint8_t unused[KM_JOURNAL_RECORD_SIZE - 120 - 3 * KM_NAME_MAX - 2 * KM_SHA256_SIZE];
	uint8_t previous[KM_SHA256_SIZE];
	uint8_t digest[KM_SHA256_SIZE]; /* of all bytes before it */
};
_Static_assert(sizeof(struct km_journal_record) == KM_JOURNAL_RECORD_SIZE,
               "the journal record is an ABI");

struct km_journal;

/* Opens or begins the journal in DIR_FD for writing; what was there is verified. CB sees every good
 * record, oldest first, before the call returns. *RET is the caller's. */
int km_journal_open(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                    void *userdata, struct km_journal **ret);
struct km_journal *km_journal_close(struct km_journal *j);
KM_DEFINE_FREEP(struct km_journal, km_journal_close)

/* Fills in magic to boot_id, chain and digest of *R, writes and syncs it. -EIO after a failed sync:
 * the segment is left, a new one begun, degraded set, and the record is NOT to be taken as written.
 */
int km_journal_add(struct km_journal *j, struct km_journal_record *r);
bool km_journal_degraded(const struct km_journal *j);

struct km_journal_report {
	uint64_t records;
	uint64_t segments;
	uint64_t bad_sequence; /* first bad record, 0: none */
	char file[64];         /* in which segment */
	char what[128];        /* what is wrong there, empty: nothing */
};

/* Read-only proof of the whole chain. 0 good, -EBADMSG with *RET filled in, or another errno. CB
 * may be NULL. */
int km_journal_verify(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                      void *userdata, struct km_journal_report *ret);

#endif
