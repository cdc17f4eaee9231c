/* SPDX-License-Identifier: Apache-2.0 */
/* The closed list of what can be done to a host, and what each verb takes besides a service. The
 * same rows check a rule's step, a request to the actor, and tell people what a step does. */
#ifndef KM_VERB_H
#define KM_VERB_H

#include "base/base.h"

/* Append only: the numbers lie in journals. */
enum km_verb {
	KM_VERB_NONE = 0,
	KM_START = 1,
	KM_STOP = 2,
	KM_RESTART = 3,
	KM_SEND_SIGNAL = 4, /* by pidfd */
	KM_RAISE_LIMIT = 5, /* of a process or its cgroup, never past what bounds it in turn */
	KM_NOTIFY = 6,      /* a line in the journal and an incident; changes nothing */
	KM_THROTTLE = 7,    /* less CPU, memory or I/O, for a time */
	KM_RELEASE = 8,     /* takes a throttle back */
	KM_FREEZE = 9,      /* stops all of it, for a time */
	KM_THAW = 10,       /* takes a freeze back */
	KM_RENICE = 11,
	KM_UNDO = 12,       /* takes back what intent AMOUNT did; asked for by no rule's step */
	KM_RELOAD = 13,     /* its configuration, without an interruption */
	KM_KILL = 14,       /* SIGKILL to all of its cgroup */
	KM_CAPTURE = 15,    /* what its processes are at, into a file; changes nothing */
	KM_ROTATE = 16,     /* named files: the old aside, an empty one in its place */
	KM_TRUNCATE = 17,   /* named files, to nothing */
	KM_FREE_SPACE = 18, /* removes named files that are old enough */
	KM_RUN = 19,        /* a named program */
	KM_FAIL_OVER = 20,  /* new connections to an endpoint's primary go to a standby */
	KM_FAIL_BACK = 21,  /* ... and a share of them, or all, to the primary again */
	KM_VERB_MAX
};

extern const char *const km_verb_names[KM_VERB_MAX + 1]; /* [0] is "none" */

/* Names of what is acted on within a service, terminator included: they are short, and lie in the
 * action journal's records. */
#define KM_OBJECT_MAX 32

/* What a step says besides its verb. OBJECT is a name that the actor looks up in its own
 * configuration, never a path, an address or a program; "": none. */
struct km_verb_args {
	uint64_t amount;      /* in the unit of the row that takes it; 0: none */
	uint64_t duration_ns; /* then it is taken back; 0: it stays */
	char object[KM_OBJECT_MAX];
};

/* What an act set and what was there before: the undo of what can be taken back. In the action
 * journal as it is. */
struct km_undo {
	uint64_t was[2];
	uint64_t set[2];
};

/* Units of an amount. */
enum km_amount {
	KM_AMOUNT_NONE = 0,
	KM_AMOUNT_COUNT,
	KM_AMOUNT_BYTES,
	KM_AMOUNT_BYTES_RATE, /* a second */
	KM_AMOUNT_SHARE,      /* ppm of all of the host's CPUs, or of new connections */
	KM_AMOUNT_WORD,       /* one of km_verb_words, from 1; the engine fills in higher bits */
};

/* One way to use a verb; a verb without a row takes nothing. */
struct km_verb_use {
	enum km_verb verb;
	const char *key;        /* member of a step that holds the object, NULL: none is taken */
	const char *object;     /* this very one; NULL: any name */
	bool implied;           /* it need not be said */
	const char *amount_key; /* NULL with an amount: not for a step */
	enum km_amount amount;
	uint64_t min, max;   /* of the amount */
	uint64_t for_max_ns; /* 0: it takes no duration; else it must have one, KM_FOR_MIN_NS at
				least */
};

/* Of an amount that is a word: which. */
#define KM_VERB_WORD 0xff
/* Shorter, and what is taken back was hardly there. */
#define KM_FOR_MIN_NS KM_NS_PER_S

extern const struct km_verb_use km_verb_uses[];
extern const size_t km_verb_use_count;

/* How VERB is used on OBJECT ("": on what is implied, or on nothing); NULL: it cannot be. */
const struct km_verb_use *km_verb_use(enum km_verb verb, const char *object);
/* NULL-terminated; of a verb whose amount is a word. */
extern const char *const km_verb_words[];
/* Letters, digits, '.', '_' and '-', not first '.' or '-'; shorter than KM_OBJECT_MAX. */
bool km_verb_is_object(const char *name);
/* NULL, or what is wrong with ARGS for VERB. */
const char *km_verb_fault(enum km_verb verb, const struct km_verb_args *args);
/* It is done to the host and not to a service: also where a rule is about a filesystem. */
static inline bool km_verb_of_host(enum km_verb verb)
{
	return verb == KM_FREE_SPACE || verb == KM_RUN;
}

#endif
