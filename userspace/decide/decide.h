/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 7: from matches to decisions. "No" is a decision too, said once until its reason changes.
 *
 * A repair is one rule at work on one service: planned, perhaps waiting (approval, back-off),
 * acting, verifying, next rung or settled: one state-by-event table in repair.c. All repairs of a
 * service in a row share an incident. */
#ifndef KM_DECIDE_H
#define KM_DECIDE_H

#include "match/match.h"

/* Checked in this order; the first that fails is the reason, all are evaluated for the record. */
enum km_guard {
	KM_GUARD_MODE = 0,   /* rule's mode is auto, or approve with an approval */
	KM_GUARD_PAUSE,      /* the kill switch is off */
	KM_GUARD_POLICY,     /* the policy allows verb and service */
	KM_GUARD_PROTECTED,  /* not on the protected list */
	KM_GUARD_QUARANTINE, /* the service is not in quarantine */
	KM_GUARD_BUSY,       /* no other repair is at work on the service */
	KM_GUARD_MANAGER,    /* not ended on purpose by its manager (systemd) */
	KM_GUARD_LOSS,       /* nothing of this service was lost unreconciled */
	KM_GUARD_FRESH,      /* evidence is at most 3 sampling periods old */
	KM_GUARD_COOLDOWN,
	KM_GUARD_BUDGET_RULE,
	KM_GUARD_BUDGET_SERVICE,
	KM_GUARD_BUDGET_HOST,
	KM_GUARD_MIN_HEALTHY,
	KM_GUARD_WINDOW,      /* the rule may act at this time of the day and week */
	KM_GUARD_MAINTENANCE, /* no operator works on it */
	KM_GUARD_NEEDS,       /* all that it needs is there */
	KM_GUARD_STARVED,     /* it is not held up by something that a restart does not mend */
	KM_GUARD_INTENT,      /* not ended on purpose by an operator or another supervisor */
	KM_GUARD_CONCURRENT,  /* not too much is done at one time */
	KM_GUARD_MAX
};

extern const char *const km_guard_names[KM_GUARD_MAX + 1];

enum km_answer {
	KM_ANSWER_ACT = 0,    /* goes to the actor */
	KM_ANSWER_NO,         /* refused: GUARD says why */
	KM_ANSWER_SUGGEST,    /* mode suggest: would act */
	KM_ANSWER_OBSERVE,    /* mode observe: the rule spoke, no more */
	KM_ANSWER_ASK,        /* waits for an operator until due_ns */
	KM_ANSWER_LATER,      /* backs off until due_ns */
	KM_ANSWER_QUARANTINE, /* no more starts of this service until an operator says so */
	KM_ANSWER_ESCALATE,   /* people must look: notify */
	KM_ANSWER_RELEASE,    /* an operator approved the QUARANTINE decision's id: it is over */
	KM_ANSWER_SHADOW,     /* would act, and does not, to see what comes of that */
	KM_ANSWER_MAX
};

extern const char *const km_answer_names[KM_ANSWER_MAX + 1];

/* What is handed to phases 8 to 11. A value: no pointers, no hidden padding, may be kept. */
struct km_decision {
	uint64_t id; /* 1, 2, 3, ... on this host's state; the intent's id as well */
	uint64_t incident_id;
	uint64_t t_ns;
	uint64_t service_id;
	uint64_t rule_key; /* 0: by definition (first start of a supervised command) */
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	unsigned int line; /* of the condition that spoke */
	enum km_answer answer;
	enum km_verb verb;
	enum km_guard guard;    /* first that failed; KM_GUARD_MAX: none */
	uint32_t guards_passed; /* bit 1 << enum km_guard */
	uint32_t step;          /* index in the plan */
	uint32_t attempt;       /* of this repair, 1 first */
	int signal;
	struct km_verb_args args;
	uint64_t timeout_ns;
	uint64_t due_ns;     /* ASK, LATER; NO: looked at again then, 0 never */
	uint32_t tgid;       /* main process at the time, 0 none */
	enum km_event event; /* that made the rule speak */
	uint64_t start_ns;
	struct km_ending ending; /* if event is KM_EV_ENDED */
	uint32_t has_forecast;
	uint32_t pad;
	struct km_forecast forecast;
	uint8_t rules_digest[32];
	char reason[KM_NAME_MAX]; /* one line for people */
};

/* One JSON object. Lists of guards are "passed" and "failed"; the digest is its first 16 digits. */
void km_decision_write(const struct km_decision *d, struct km_json_writer *w);

/* A verdict of phase 9, handed back by the pipeline. */
enum km_verdict_kind {
	KM_HELPED = 0,
	KM_DID_NOT_HELP = 1,
	KM_VERDICT_NOT_MEASURED = 2,
	KM_VERDICT_MAX
};

extern const char *const km_verdict_names[KM_VERDICT_MAX + 1];

/* Verdicts that are remembered of a rule, and how many of them may be "did not help". */
#define KM_TRACK_VERDICTS 5
#define KM_TRACK_FAILURES 3

/* What became of the last repairs of a rule that may act, as it stands now: same text, same word of
 * an operator on its mode. All attempts and rungs of one repair are one case, its newest verdict
 * counts. What was not measured says nothing and is not kept. */
struct km_track {
	uint64_t rule_key;
	uint64_t text; /* first bytes of its digest */
	uint64_t mode_at_s;
	uint32_t count;
	uint32_t demoted;                    /* 1: it only suggests from now on */
	uint32_t verdict[KM_TRACK_VERDICTS]; /* enum km_verdict_kind, newest first */
	uint32_t pad;
	uint64_t service_id[KM_TRACK_VERDICTS]; /* of each */
};

struct km_decide;

int km_decide_new(struct km_decide **ret);
struct km_decide *km_decide_free(struct km_decide *d);
KM_DEFINE_FREEP(struct km_decide, km_decide_free)

/* Each may be called again on reload; they must outlive D or the next call. */
void km_decide_configure(struct km_decide *d, const struct km_config *config,
                         const struct km_policy *policy, const struct km_rules *rules);

/* What all calls below may look at. */
struct km_decide_world {
	uint64_t now_ns;
	uint64_t realtime_s; /* wall-clock time at now_ns, 0: not known */
	const struct km_attribute *attribute;
	struct km_measure *measure; /* NULL: nothing is measured */
	uint32_t lossy;             /* 1: records were lost and not yet reconciled */
};

/* Each call queues the decisions that follow from it, in order. 0; -EBADMSG: it fits nothing that
 * is open (an outcome that comes twice, an approval of what does not wait), nothing changed. Where
 * a table or the queue is full, that is counted and 0. */
int km_decide_match(struct km_decide *d, const struct km_decide_world *w, const struct km_match *m);
/* Something is kept of the two: km_decide_match() must hear when the rule speaks no more. */
bool km_decide_keeps(const struct km_decide *d, uint64_t service_id, uint64_t rule_key);
int km_decide_outcome(struct km_decide *d, const struct km_decide_world *w,
                      const struct km_raw_outcome *o);
int km_decide_verdict(struct km_decide *d, const struct km_decide_world *w, uint64_t decision_id,
                      enum km_verdict_kind verdict);
int km_decide_command(struct km_decide *d, const struct km_decide_world *w,
                      const struct km_raw_command *c);
/* Pause, resume, maintenance. -EBADMSG: there is no such service. */
int km_decide_operator(struct km_decide *d, const struct km_decide_world *w,
                       const struct km_raw_operator *o);
/* Deadlines: approvals that expire, back-offs that are due, actors that do not answer. */
int km_decide_tick(struct km_decide *d, const struct km_decide_world *w);
/* Supervised commands that should run and were reported absent at the start. */
int km_decide_absent(struct km_decide *d, const struct km_decide_world *w,
                     const struct km_service *service);
/* Boot time at which km_decide_tick() wants to be called next, 0: none. The pipeline is told by a
 * tick. */
uint64_t km_decide_due_ns(const struct km_decide *d);

/* Queued and not yet taken with km_decide_next(): one tick of a full host. Without room for what it
 * may say a rule is not heard (counted), and what is due stays due. */
#define KM_DECISIONS_QUEUED_MAX 1024

/* A service to be looked at closely, by phase 1, if it can. */
struct km_depth_ask {
	uint64_t service_id;
	uint64_t cgroup_id;
	uint64_t until_ns;
	uint32_t depths; /* enum km_depth */
	uint32_t pad;
};

/* What is worth knowing of a service of which that is forecast, or decided; 0: no more. */
extern const uint32_t km_depth_of_forecast[KM_FORECAST_KIND_MAX];
extern const uint32_t km_depth_of_answer[KM_ANSWER_MAX];
/* 1: *RET is to be asked for; 0: S was looked at lately, or enough others are. */
int km_decide_depth(struct km_decide *d, const struct km_service *s, uint32_t depths,
                    uint64_t now_ns, struct km_depth_ask *ret);
/* What became of it. S may be NULL. */
void km_decide_lease(struct km_decide *d, const struct km_service *s, const struct km_raw_lease *l);

/* Next queued decision, valid until the next call of this module; NULL: none. */
const struct km_decision *km_decide_next(struct km_decide *d);

/* An incident of the service is open in which a rule of another key had a part. */
bool km_decide_incident_open(const struct km_decide *d, uint64_t service_id, uint64_t but_rule_key,
                             uint64_t now_ns);

/* For people: boot time since which operators, or the file that pauses, let nothing be done, 0:
 * they do; whether one works on a service, and until when. */
uint64_t km_decide_paused_ns(const struct km_decide *d);
bool km_decide_paused_by_file(const struct km_decide *d);
bool km_decide_maintained(const struct km_decide *d, uint64_t service_id, uint64_t now_ns,
                          uint64_t *ret_until_ns);
/* NULL: it has not acted. Valid until the next call of this module. */
const struct km_track *km_decide_track(const struct km_decide *d, const struct km_rule *r);
/* The rule's mode as far as its track record lets it. */
enum km_mode km_track_mode(const struct km_decide *d, const struct km_rule *r);

/* For people: what is open. A quarantine ends by APPROVE of its QUARANTINE decision. */
bool km_decide_quarantined(const struct km_decide *d, uint64_t service_id);
/* The ACT decision with this id while phase 9 is to look at it (its DONE outcome was taken), else
 * NULL: what km_verify_begin() is given. Valid until the next call of this module. */
const struct km_decision *km_decide_verifying(const struct km_decide *d, uint64_t decision_id);
/* The act with this id has no outcome yet. */
bool km_decide_acting(const struct km_decide *d, uint64_t decision_id);
/* Decisions that wait for an operator (ASK); *SLOT as in km_table_next(). */
const struct km_decision *km_decide_waiting(const struct km_decide *d, uint32_t *slot);

size_t km_decide_tables(struct km_decide *d, struct km_table **ret, size_t max);

#endif
