/* SPDX-License-Identifier: Apache-2.0 */
/* The action journal: a chain (base/chain.h) of fixed-size records in DIR/journal-NNNNNNNN; the
 * intent is on disk before the act. */
#ifndef KM_JOURNAL_H
#define KM_JOURNAL_H

#include "base/chain.h"
#include "base/verb.h"

#define KM_JOURNAL_RECORD_SIZE     KM_CHAIN_RECORD_SIZE
#define KM_JOURNAL_SEGMENT_RECORDS KM_CHAIN_SEGMENT_RECORDS

enum km_journal_kind {
	KM_J_OPEN = KM_CHAIN_OPEN,
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
	uint64_t intent_id;  /* OPEN: the highest so far */
	int32_t error;
	/* enum km_outcome_state of collect/raw.h; of an intent: 1 if it counts against the
	 * budgets. */
	uint32_t state;
	uint64_t cgroup_id;
	uint64_t start_ns;
	uint64_t amount;
	uint32_t tgid;
	uint32_t verb;
	int32_t signal;
	uint32_t returned; /* 1: what intent AMOUNT set is as it was before */
	union {
		uint8_t invocation[16]; /* systemd's InvocationID before the act, or zeros */
		uint64_t place_id;      /* UNDO: the cgroup's, of its own hierarchy */
	};
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	char detail[KM_NAME_MAX];
	/* Zeros in journals of before. */
	uint64_t duration_ns;
	char object[KM_OBJECT_MAX];
	struct km_undo undo; /* of what can be taken back */
	uint8_t previous[KM_SHA256_SIZE];
	uint8_t digest[KM_SHA256_SIZE]; /* of all bytes before it */
};
_Static_assert(sizeof(struct km_journal_record) == KM_JOURNAL_RECORD_SIZE,
               "the journal record is an ABI");

_Static_assert(offsetof(struct km_journal_record, error) == offsetof(struct km_chain_record, error),
               "head of a chain's record");
_Static_assert(offsetof(struct km_journal_record, previous) ==
                       offsetof(struct km_chain_record, previous),
               "tail of a chain's record");

/* Opens or begins the journal in DIR_FD for writing; what was there is verified. CB sees every good
 * record, oldest first, before the call returns. *RET is the caller's: km_chain_close(), and
 * km_chain_degraded(), _room() and _prepare() as they are. */
int km_journal_open(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                    void *userdata, struct km_chain **ret);
/* As km_chain_add(), _write() and _sync(). */
int km_journal_add(struct km_chain *j, struct km_journal_record *r);
int km_journal_write(struct km_chain *j, struct km_journal_record *r);
int km_journal_sync(struct km_chain *j, const struct km_journal_record *r);

#define km_journal_report km_chain_report

/* Read-only proof of the whole chain. 0 good, -EBADMSG with *RET filled in, or another errno. CB
 * may be NULL. */
int km_journal_verify(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                      void *userdata, struct km_journal_report *ret);

#endif
