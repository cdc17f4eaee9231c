/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it but its tests.
 *
 * All state lives in the tables of struct km_decide; a move (struct km_move) is one call's look at
 * one repair and lives on the stack. */
#ifndef KM_DECIDE_INTERNAL_H
#define KM_DECIDE_INTERNAL_H

#include "decide/decide.h"

/* Two rules at work on each service a host can follow. */
#define KM_REPAIRS_MAX 4096
/* Rule and service pairs that acted within their windows: the repairs, and as many again. */
#define KM_ACTORS_MAX 8192
/* Acts remembered for one service, or for one rule on one service. A budget that allows more in its
 * window is held to this: a service repaired oftener is beyond repair. */
#define KM_ACTS_KEPT 64
/* Acts remembered for the host: half of the services it can follow, within one window. */
#define KM_HOST_ACTS_KEPT 1024
/* A call may say up to so many decisions; it starts only with that much room in the queue. */
#define KM_SAY_MAX       16

#define KM_QUIET_NS      (600 * KM_NS_PER_S) /* ends an incident; then a "no" is said again */
#define KM_GRACE_NS      (10 * KM_NS_PER_S)  /* for an actor, behind the act's own time-out */
#define KM_LOOK_AGAIN_NS (10 * KM_NS_PER_S)  /* at what a guard holds that no time frees */
#define KM_VERDICT_NS    (60 * KM_NS_PER_S)  /* for phase 9, behind its own time */
#define KM_SWEEP_NS      (60 * KM_NS_PER_S)  /* between two removals of rows that are over */
#define KM_STALE_PERIODS 3
/* Ends of a service and of what it needs that come so close together have one cause, whichever was
 * heard first. A service that needs others waits for so long before it is looked at. */
#define KM_HEARD_NS       (200 * KM_NS_PER_MS)
#define KM_BACKOFF_MAX_NS (86400 * KM_NS_PER_S)

/* Two records may come in either order: never negative. */
static inline uint64_t km_decide_age(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

enum km_repair_state {
	KM_R_PLANNED = 0, /* only within one call: the guards are being asked */
	KM_R_APPROVAL,    /* waits for an operator */
	KM_R_BACKOFF,     /* waits for its time */
	KM_R_ACTING,      /* the actor has it */
	KM_R_VERIFYING,   /* phase 9 has it */
	KM_R_RESTING,     /* over, but the rule still speaks: nothing more until it stops */
	KM_REPAIR_STATE_MAX
};

enum km_repair_event {
	KM_E_GRANTED = 0, /* all guards passed */
	KM_E_DENIED,      /* a guard says no, or the operator */
	KM_E_ASKED,       /* an operator must agree */
	KM_E_HELD,        /* not now, but at until_ns */
	KM_E_SPENT,       /* the budget went with attempts that did not help */
	KM_E_DUE,         /* until_ns has come */
	KM_E_DONE,        /* outcomes of the actor */
	KM_E_FAILED,      /* ... */
	KM_E_REFUSED,     /* ... */
	KM_E_UNSURE,      /* ... it may or may not have happened */
	KM_E_NOT_DONE,    /* ... found out after a crash: it did not happen */
	KM_E_HELPFUL,     /* verdicts of phase 9 */
	KM_E_NOT_HELPFUL, /* ... */
	KM_E_UNMEASURED,  /* ... */
	KM_E_DEADLINE,    /* nobody answered in time */
	KM_E_CANCELLED,   /* the cause went away, or the service is in quarantine */
	KM_E_AGAIN,       /* the rule speaks while its repair is open */
	KM_REPAIR_EVENT_MAX
};

extern const char *const km_repair_state_names[KM_REPAIR_STATE_MAX + 1];

/* Where the policy has it so, a share of all repairs begins with nothing being done, and a look at
 * what comes of that. */
#define KM_SHADOW_NOW  1U
#define KM_SHADOW_OVER 2U

/* One rule at work on one service. */
struct km_repair {
	uint64_t service_id;
	uint64_t rule_key; /* 0: the definition's first start */
	uint32_t state;
	uint32_t step;       /* index in the plan */
	uint32_t acts;       /* sent to the actor, notifications not counted */
	uint32_t held;       /* BACKOFF: the guard that holds it, KM_GUARD_MAX: back-off */
	uint32_t concluded;  /* 1: `otherwise` was said with the last notification */
	uint32_t rolls_back; /* 1: ACTING is the return of what did not help */
	uint32_t shadow;     /* of this repair: SHADOW_NOW, SHADOW_OVER; 0 not so far */
	uint32_t pad;
	uint64_t planned_ns;  /* back-off counts from here */
	uint64_t evidence_ns; /* newest evidence that the cause is there */
	uint64_t due_ns;      /* of the state, 0 none */
	uint64_t acted_id;    /* the ACT decision whose outcome or verdict is awaited, 0 none */
	uint64_t incident_id;
	struct km_decision last; /* newest decision of it; carries what made the rule speak */
	char endpoint[KM_ENDPOINT_NAME_MAX]; /* ... of the service's; "": none did */
};

/* One row, made at the first use so that a checkpoint finds the table empty. */
struct km_meta {
	uint64_t key;       /* 1 */
	uint64_t decisions; /* ids given out */
	uint64_t incidents;
	uint64_t impossible; /* events refused by the state table */
	uint64_t full;       /* a table had no room */
	uint64_t unsaid;     /* decisions that found no room in the queue */
	uint64_t sweep_ns;   /* next removal of rows that are over */
	uint64_t paused_ns;  /* since when operators let nothing be done, 0: they do */
	uint64_t file_ns;    /* since when the file that pauses is there, 0: it is not */
};

/* Times of acts, newest first; rule_key 0: of the service, whatever the rule. */
struct km_acts {
	uint64_t service_id;
	uint64_t rule_key;
	uint64_t keep_ns; /* the window they are kept for */
	uint32_t count;
	uint32_t pad;
	uint64_t t_ns[KM_ACTS_KEPT];
};

struct km_host_acts {
	uint64_t key; /* 1 */
	uint64_t keep_ns;
	uint32_t count;
	uint32_t pad;
	uint64_t t_ns[KM_HOST_ACTS_KEPT];
};

/* Back-off and cooldown of one rule on one service. */
struct km_pace {
	uint64_t service_id;
	uint64_t rule_key;
	uint64_t last_ns; /* newest act */
	uint64_t reset_ns;
	uint64_t cooldown_ns;
	uint32_t acts; /* since it was forgotten */
	uint32_t pad;
};

struct km_quarantine {
	uint64_t service_id;
	uint64_t decision_id;
	uint64_t incident_id;
	uint64_t since_ns;
	uint64_t rule_key;
};

struct km_incident {
	uint64_t service_id;
	uint64_t id;
	uint64_t last_ns;
	uint64_t rule_key[2]; /* that last had a part in it, newest first */
	uint64_t rule_ns[2];  /* ... when; 0: none */
};

/* Failing services remembered to tell a storm from single failures. */
#define KM_STORM_KEPT 32

/* One row. Services that failed lately, newest first, each once. */
struct km_storm {
	uint64_t key;      /* 1 */
	uint64_t since_ns; /* of the storm that was said last, 0 none */
	uint64_t last_ns;  /* newest failure */
	uint32_t count;
	uint32_t said; /* 1: people were called */
	uint64_t service_id[KM_STORM_KEPT];
	uint64_t t_ns[KM_STORM_KEPT];
};

/* An operator works on a service. */
struct km_maintain {
	uint64_t service_id;
	uint64_t until_ns;
};

/* When each thing was last said of one rule and service, 0 never. */
enum km_said {
	KM_SAID_OBSERVE = KM_GUARD_MAX, /* below it: NO because of this guard */
	KM_SAID_SUGGEST,
	KM_SAID_ESCALATE,
	KM_SAID_MAX
};

struct km_said_row {
	uint64_t service_id;
	uint64_t rule_key;
	uint64_t t_ns[KM_SAID_MAX];
};

/* A service that is looked at closely, or was. */
struct km_depth_row {
	uint64_t service_id;
	uint64_t until_ns;
	uint64_t again_ns; /* not before */
};

enum km_decide_table {
	KM_T_META = 0,
	KM_T_REPAIR,
	KM_T_ACTS,
	KM_T_HOST,
	KM_T_PACE,
	KM_T_QUARANTINE,
	KM_T_INCIDENT,
	KM_T_SAID,
	KM_T_STORM,
	KM_T_MAINTAIN,
	KM_T_TRACK,
	KM_T_DEPTH,
	KM_T_MAX
};

struct km_decide {
	const struct km_config *config; /* NULL until configured, and so the next two */
	const struct km_policy *policy;
	const struct km_rules *rules;
	struct km_table *table[KM_T_MAX];
	struct km_decision *queue; /* KM_DECISIONS_QUEUED_MAX, a ring */
	uint32_t head;
	uint32_t queued;
	struct km_meta spare; /* where the table has no memory for its one row */
};

struct km_move {
	struct km_decide *d;
	const struct km_decide_world *w;
	struct km_repair *r;
	const struct km_rule *rule;       /* NULL: removed meanwhile */
	const struct km_service *service; /* NULL: gone */
	bool approved;                    /* an operator agreed */
	bool by_operator;                 /* an operator said no */
	uint32_t passed;                  /* bits of guards */
	enum km_guard guard;              /* first that failed */
	bool looked;                      /* passed and guard mean something */
	bool repeats;      /* its last step once more, which is never done without a pause */
	uint64_t undo_id;  /* what is said is the return of this act, 0: it is the plan's step */
	uint64_t until_ns; /* HELD */
	const char *note;  /* a clause in front of the reason, NULL none */
};

/* tables.c */
extern const struct km_table_opts km_decide_table_opts[KM_T_MAX];
struct km_meta *km_decide_meta(struct km_decide *d);
void km_decide_count_full(struct km_decide *d);

/* lasting.c: struct km_table_opts::outlives, and ::returns. */
bool km_lasting_meta(void *row, uint64_t now_ns);
bool km_lasting_acts(void *row, uint64_t now_ns);
bool km_lasting_host(void *row, uint64_t now_ns);
bool km_lasting_pace(void *row, uint64_t now_ns);
bool km_lasting_quarantine(void *row, uint64_t now_ns);
bool km_lasting_maintain(void *row, uint64_t now_ns);
bool km_lasting_track(void *row, uint64_t now_ns);
void km_lasting_meta_returns(void *row, uint64_t now_ns);
void km_lasting_acts_return(void *row, uint64_t now_ns);
void km_lasting_host_returns(void *row, uint64_t now_ns);
void km_lasting_pace_returns(void *row, uint64_t now_ns);
void km_lasting_quarantine_returns(void *row, uint64_t now_ns);
void km_lasting_maintain_returns(void *row, uint64_t now_ns);

/* guard.c: fills passed and guard. */
void km_guard_look(struct km_move *m);
/* For how long the first failed guard holds: boot time, or 0: it will not pass by itself. */
uint64_t km_guard_until(const struct km_move *m);
bool km_guard_trigger_holds(const struct km_move *m);
/* A repair of a service that is at work on the host; SELF is not counted. */
bool km_guard_at_work(const struct km_decide *d, const struct km_service *s, uint64_t service_id,
                      uint64_t self);

/* depend.c: the guard, and for how long it holds. */
bool km_depend_ready(const struct km_move *m);
uint64_t km_depend_until(const struct km_move *m);
bool km_depend_has_needs(const struct km_move *m);
/* It holds only because ends that belong together may not all have been heard yet. */
bool km_depend_listens(const struct km_move *m);
/* Of what the service needs and does not have, what needs least itself; NULL: all is there. */
const struct km_service *km_depend_root(const struct km_move *m);

/* storm.c: a failure is noted, a storm is said once; the guard on how much is done at a time. */
void km_storm_note(struct km_decide *d, uint64_t service_id, uint64_t now_ns);
void km_storm_tick(struct km_decide *d, const struct km_decide_world *w);
bool km_storm_is(const struct km_decide *d, uint64_t now_ns);
bool km_storm_room(const struct km_move *m);
/* Something is over: who waits for room, or for it, is looked at. */
void km_storm_wake(const struct km_move *m);

/* maintain.c */
bool km_maintain_is(const struct km_decide *d, uint64_t service_id, uint64_t now_ns,
                    uint64_t *ret_until_ns);
void km_maintain_sweep(struct km_decide *d, uint64_t now_ns);
/* depth.c */
void km_depth_sweep(struct km_decide *d, uint64_t now_ns);

/* starved.c */
enum km_starved {
	KM_STARVED_NOT = 0, /* or not measured */
	KM_STARVED_FROZEN,
	KM_STARVED_STOPPED,
	KM_STARVED_THROTTLED,
	KM_STARVED_CPU,
	KM_STARVED_MEMORY,
	KM_STARVED_STORAGE,
	KM_STARVED_MAX
};
enum km_starved km_starved_why(const struct km_move *m);
bool km_starved_not(const struct km_move *m);
/* For people: by what, and what uses it. */
const char *km_starved_text(const struct km_move *m, char *ret, size_t size);

/* budget.c: times newest first. An act at T counts until T + per_ns, then no more. */
bool km_budget_free(const uint64_t *t_ns, uint32_t count, uint32_t kept, const struct km_budget *b,
                    uint64_t now_ns);
/* Boot time at which one more is free. */
uint64_t km_budget_until(const uint64_t *t_ns, uint32_t count, uint32_t kept,
                         const struct km_budget *b, uint64_t now_ns);
bool km_budget_rule(const struct km_move *m);
bool km_budget_service(const struct km_move *m);
bool km_budget_host(const struct km_move *m);
uint64_t km_budget_guard_until(const struct km_move *m, enum km_guard guard);
void km_budget_note(struct km_move *m);
void km_budget_sweep(struct km_decide *d, uint64_t now_ns);

/* backoff.c */
/* REPEATS: the same step again, which waits even where the rule has no back-off. */
uint64_t km_backoff_delay(const struct km_guard_spec *g, uint32_t acts, bool repeats);
uint64_t km_backoff_allowed_ns(struct km_move *m);
uint64_t km_backoff_cooldown_until(const struct km_move *m);
bool km_backoff_room(const struct km_move *m);
void km_backoff_note(struct km_move *m);
void km_backoff_sweep(struct km_decide *d, const struct km_decide_world *w);

/* quarantine.c */
bool km_quarantine_has(const struct km_decide *d, uint64_t service_id);
/* 1 it begins, 0 it was already; negative errno. */
int km_quarantine_begin(struct km_move *m);
struct km_quarantine *km_quarantine_by_decision(const struct km_decide *d, uint64_t decision_id);
/* Whatever waits on the service of M goes. */
void km_quarantine_cancel_waiting(const struct km_move *m);
/* An operator ends it. */
int km_quarantine_release(struct km_decide *d, const struct km_decide_world *w,
                          struct km_quarantine *q, uint32_t uid);

/* incident.c */
uint64_t km_incident_of(struct km_decide *d, uint64_t service_id, uint64_t rule_key,
                        uint64_t now_ns);
/* What is decided about the service belongs to incident ID from now on. */
void km_incident_join(struct km_decide *d, uint64_t service_id, uint64_t rule_key, uint64_t id,
                      uint64_t now_ns);
void km_incident_touch(struct km_decide *d, uint64_t service_id, uint64_t rule_key,
                       uint64_t now_ns);
void km_incident_sweep(struct km_decide *d, uint64_t now_ns);

/* said.c: true if WHAT is to be said now (and from now on counts as said). */
bool km_said_once(struct km_decide *d, const struct km_repair *r, unsigned int what,
                  uint64_t now_ns);
void km_said_stopped(struct km_decide *d, uint64_t service_id, const struct km_rule *rule,
                     uint64_t now_ns);
void km_said_forget(struct km_decide *d, uint64_t service_id, uint64_t rule_key);
void km_said_sweep(struct km_decide *d, uint64_t now_ns);

/* reason.c: one line for people into D->reason. */
void km_reason_write(const struct km_move *m, struct km_decision *d);

/* shadow.c: this repair is one of those that begin with nothing being done. */
bool km_shadow_is(struct km_move *m);

/* say.c: queues a decision of the repair and keeps it as r->last; the incident that it is of. */
uint64_t km_decide_incident(struct km_move *m);
void km_decide_say(struct km_move *m, enum km_answer answer);
bool km_decide_room(const struct km_decide *d);

/* repair.c: the life cycle. */
int km_repair_fire(struct km_move *m, enum km_repair_event event);
bool km_repair_known(enum km_repair_state state, enum km_repair_event event);
/* Asks the guards and fires what they say. */
int km_repair_consider(struct km_move *m);
/* The rule must be heard to speak for the repair to stand: no event made it speak. */
bool km_repair_lasting(const struct km_repair *r);

/* track.c: true if this verdict costs the rule its right to act. */
bool km_track_verdict(struct km_move *m, enum km_verdict_kind kind);
/* Drops what is kept of rules that are no longer as they were. */
void km_track_sweep(struct km_decide *d);

/* plan.c */
const struct km_rule *km_plan_rule(const struct km_decide *d, uint64_t rule_key);
const struct km_step *km_plan_step(const struct km_move *m);
bool km_plan_only_notifies(const struct km_rule *rule);
/* What the actor is told besides the verb, as the step has it and as the world is now. */
struct km_verb_args km_plan_args(const struct km_move *m);
/* Counts for cooldown, back-off and the rule's own budget. */
bool km_plan_counts(const struct km_move *m);
void km_plan_move(struct km_decide *d, const struct km_decide_world *w, struct km_repair *r,
                  struct km_move *ret);
extern const struct km_rule km_plan_definition;

#endif
