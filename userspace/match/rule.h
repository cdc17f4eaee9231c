/* SPDX-License-Identifier: Apache-2.0 */
/* A rule (runbook), compiled from one JSON file into a typed form; rules/README.md is the language.
 */
#ifndef KM_RULE_H
#define KM_RULE_H

#include "attribute/attribute.h"
#include "base/json.h"
#include "base/policy.h"
#include "predict/predict.h"

#define KM_CONDITIONS_MAX 64 /* of one rule */
#define KM_STEPS_MAX      8
#define KM_SCOPE_MAX      64
#define KM_RULE_TEXT_MAX  512
/* Times kept for "count within": what one row of the matcher holds. */
#define KM_EVENTS_MAX 16
/* Globs of what the kernel keeps of a command's name, 15 bytes, with some wildcards between. */
#define KM_BY_MAX 32
/* Of a pattern: a reviewer must be able to read it. */
#define KM_PATTERN_MAX 128
/* Windows in which a rule may act: one a day of the week, and one more. */
#define KM_WINDOWS_MAX 8
/* What a reader of one rule can follow up. */
#define KM_REFERENCES_MAX 16
/* No forecast reaches further, so no condition may ask for more: 30 days. */
#define KM_WITHIN_MAX_NS (30ULL * 24 * 3600 * KM_NS_PER_S)

enum km_mode { KM_OBSERVE = 0, KM_SUGGEST = 1, KM_APPROVE = 2, KM_AUTO = 3, KM_MODE_MAX };
extern const char *const km_mode_names[KM_MODE_MAX + 1];

enum km_cond_op {
	KM_COND_ALL,
	KM_COND_ANY,
	KM_COND_NOT,
	KM_COND_FORECAST,
	KM_COND_EVENT,
	KM_COND_STATE,
	KM_COND_LEVEL,
	KM_COND_INCIDENT,
	KM_COND_ENDPOINT,
	KM_COND_TEXT,
	KM_COND_DEPLOYED,
	KM_COND_OP_MAX
};
extern const char *const km_cond_op_names[KM_COND_OP_MAX + 1];

/* How a service ended, as a filter: KM_END_ANY matches all. */
enum km_end_how {
	KM_END_ANY = 0,
	KM_END_CLEAN,
	KM_END_FAILED,
	KM_END_SIGNALED,
	KM_END_OUTSIDER,
	KM_END_OOM,
	KM_END_MAX
};
extern const char *const km_end_how_names[KM_END_MAX + 1];

/* One node of the tree, in pre-order; CHILDREN follow it directly. */
/* What "state" may say: of the service's life, or of its health. */
enum km_cond_state {
	KM_IS_UP = KM_SERVICE_UP,
	KM_IS_DOWN = KM_SERVICE_DOWN,
	KM_IS_HEALTHY,
	KM_IS_UNHEALTHY,
	KM_COND_STATE_MAX
};

/* Without the first, "unknown": what is not measured is no condition. */
extern const char *const km_cond_state_names[KM_COND_STATE_MAX];

/* Both are of life, or both of health: only one of them can hold. */
static inline bool km_cond_states_differ(int a, int b)
{
	return a != b && (a >= KM_IS_HEALTHY) == (b >= KM_IS_HEALTHY);
}

struct km_pattern; /* of a TEXT */
const char *km_pattern_text(const struct km_pattern *p);
const char *km_pattern_check(const struct km_pattern *p); /* "": of any check */

struct km_cond {
	enum km_cond_op op;
	unsigned int line;     /* in the rule's file */
	unsigned int children; /* direct ones, ALL ANY NOT */
	unsigned int span;     /* nodes of this subtree, itself included */
	int forecast_kind;     /* FORECAST */
	int resource;       /* FORECAST of exhaustion, LEVEL; KM_RESOURCE_MAX: what has no limit */
	int signal;         /* LEVEL: enum km_sig */
	bool host;          /* LEVEL: the host's, not the service's own */
	double p;           /* FORECAST: at least */
	uint64_t within_ns; /* FORECAST: eta at most; EVENT: window of count; DEPLOYED: ago */
	int event;          /* EVENT: enum km_event */
	int how;            /* EVENT ended: enum km_end_how */
	uint32_t count;     /* EVENT: at least so many within the window, 1 by default */
	int state;          /* STATE: enum km_cond_state */
	uint64_t for_ns;    /* STATE, LEVEL, FORECAST: true without a break for so long */
	double above;       /* LEVEL: more than this, or less if BELOW */
	double until;       /* LEVEL: ... and then until it is past this; < 0: no hysteresis */
	bool below;
	bool above_share; /* ABOVE is a share of the limit, else in the resource's unit */
	bool until_share;
	int of; /* INCIDENT: enum km_incident_of */
	/* EVENT ended, signaled: glob of the sender's command; ENDPOINT: of its name; "": any */
	char by[KM_BY_MAX];
	/* ENDPOINT: enum km_place_health of primary and standby, enum km_traffic and 1; 0: not
	 * asked for. A forecast is with P above 0. */
	int primary, standby, traffic;
	struct km_pattern *pattern; /* TEXT: owned by the rule; else NULL */
};

/* Whose incident an INCIDENT condition looks at. */
enum km_incident_whose { KM_OF_SERVICE = 0, KM_OF_DEPENDENCY = 1, KM_OF_MAX };
extern const char *const km_incident_whose_names[KM_OF_MAX + 1];

enum km_otherwise { KM_ELSE_NEXT = 0, KM_ELSE_ESCALATE = 1, KM_ELSE_QUARANTINE = 2, KM_ELSE_MAX };
extern const char *const km_otherwise_names[KM_ELSE_MAX + 1];

struct km_step {
	enum km_verb verb;
	unsigned int line;
	int signal; /* KM_SEND_SIGNAL */
	struct km_verb_args args;
	uint64_t timeout_ns; /* 30 s by default */
	uint32_t evidence;   /* what is looked at just before it: bits of enum km_capture_kind */
	enum km_otherwise on_failure; /* the act failed or did not help, and what comes then */
};

/* What must hold for HELPED, looked at from the outcome until within_ns after it. */
struct km_verify_spec {
	uint64_t within_ns;
	bool up;            /* service is up */
	uint64_t up_for_ns; /* ... for so long */
	bool forecast_gone; /* the forecast that spoke is no longer in force */
	int below_resource; /* KM_RESOURCE_MAX: not asked */
	double below;       /* share of the limit */
	bool healthy;       /* its health checks say so */
	bool endpoint;      /* a connection was accepted where the endpoint's go now */
	bool no_end;        /* did not end again (unasked) since */
	bool none;          /* nothing can be measured: the verdict is "not measured" */
};

struct km_guard_spec {
	enum km_mode mode;        /* observe by default */
	uint64_t cooldown_ns;     /* between two acts of this rule on one service */
	struct km_budget budget;  /* of this rule on one service; count 0: only the policy's */
	uint32_t min_healthy;     /* of the service's group that must stay up */
	uint64_t backoff_base_ns; /* 0: none; the first act is at once, the next after base, 2 base,
				     ... */
	uint64_t backoff_max_ns;
	uint64_t backoff_reset_ns; /* up for so long: forgotten */
	uint64_t approval_ns;      /* how long an approval may be waited for, 1 h by default */
	unsigned int windows;      /* 0: at any time */
	struct km_window window[KM_WINDOWS_MAX];
};

/* As large as what it says: conditions, steps and words lie behind the struct, in one block. */
struct km_rule {
	const char *id, *file, *summary, *why, *owner;
	const char *rule_class; /* the folder's name, or "" */
	bool stable;            /* maturity */
	uint64_t expires_s;     /* wall-clock time from which on it is silent; 0: never */
	unsigned int expires_line;
	uint64_t key;          /* km_hash of id: key in tables */
	uint8_t digest[32];    /* SHA-256 of the text */
	enum km_entity entity; /* what the rule is about */
	bool all_services;     /* all of these */
	/* What must match, each list NULL-terminated and NULL where it is not asked for; all NULL
	 * exactly if all_services. */
	char **services;              /* globs of names, those of filesystems without "fs:" */
	char **units;                 /* globs of systemd units */
	char **images;                /* globs of container images, which the label "image" says */
	char **labels;                /* "name=glob", all of which must match */
	char **references;            /* for people, NULL-terminated; NULL: none */
	const struct km_cond *when;   /* when[0].span of them */
	const struct km_cond *unless; /* unless[0].span == 0: none */
	const struct km_step *plan;
	unsigned int steps;
	struct km_verify_spec verify;
	enum km_otherwise otherwise;
	struct km_guard_spec guard;
	enum km_mode written_mode; /* of the text; guard.mode is the one in force */
	uint64_t mode_at_s; /* when an operator last said its mode; 0: never, but in the text */
};

/* A set of rules that is in force as a whole; const once built. */
struct km_rules {
	struct km_rule **rule;   /* sorted by id */
	struct km_rule **by_key; /* the same, sorted by key */
	size_t count;
	uint8_t digest[32]; /* of the set: SHA-256 over the rules' digests in order */
};

/* -EBADMSG with *ERR. The file's last folder becomes the class. */
int km_rule_compile(const char *text, size_t len, const char *file, struct km_error *err,
                    struct km_rule **ret);
struct km_rule *km_rule_free(struct km_rule *r);
KM_DEFINE_FREEP(struct km_rule, km_rule_free)

/* True if the service, or other entity, is in the rule's scope. DEF: its definition, NULL if there
 * is none: then it has no labels. */
bool km_rule_covers(const struct km_rule *r, const struct km_service *s,
                    const struct km_service_def *def);
/* True for the verbs that interrupt or change a service: not start, notify and what
 * takes back. */
bool km_verb_disrupts(enum km_verb verb);

/* The same validator with an ear for warnings: valid, and yet probably not what was meant. */
struct km_rule_text {
	const char *text;
	size_t len;
	const char *file;
	void (*warn)(void *userdata, const struct km_error *warning); /* may be NULL */
	void *userdata;
};
int km_rule_check(const struct km_rule_text *in, struct km_error *err, struct km_rule **ret);

/* Takes over RULES[COUNT] (the pointers, not the array) on success. -EEXIST with *ERR: two with one
 * id; -E2BIG: over KM_RULES_MAX.
 */
int km_rules_new(struct km_rule **rules, size_t count, struct km_error *err, struct km_rules **ret);
struct km_rules *km_rules_free(struct km_rules *r);
KM_DEFINE_FREEP(struct km_rules, km_rules_free)

/* NULL if there is none. */
const struct km_rule *km_rules_get(const struct km_rules *r, uint64_t key);

/* Names "class/name.json" below DIR_FD, sorted, as km_rule_walk() takes them; the caller's, freed
 * with km_fs_free_names(). -EBADMSG with *ERR: a rule outside a class folder, over KM_RULES_MAX,
 * a folder that cannot be read. */
int km_rule_names(int dir_fd, struct km_error *err, char ***ret);

/* Names "name.json" in one class's folder, likewise; none if it has folders itself. */
int km_rule_class_names(int dir_fd, struct km_error *err, char ***ret);

/* All of rules/<class>/<name>.json below DIR_FD (trusted reading), as texts for the pipeline and
 * the checker: CB gets each file's name ("memory/leak.json") and text, in sorted order; its
 * non-zero return ends the walk and is returned. Folders "schema" and "policy", *.test.json and
 * hidden names are skipped. */
int km_rule_walk(int dir_fd,
                 int (*cb)(void *userdata, const char *file, const char *text, size_t len),
                 void *userdata, struct km_error *err);

#endif
