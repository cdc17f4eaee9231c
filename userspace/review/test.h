/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of a rule: rules/<class>/<name>.test.json, beside the rule. Each test is a small host
 * (review/world.h) whose records go through the real pipeline. rules/README.md is the reference. */
#ifndef KM_TEST_H
#define KM_TEST_H

#include "match/modes.h"
#include "review/course.h"
#include "review/world.h"

/* Of one file: what a reader follows. */
#define KM_TESTS_MAX 64
/* Of one test. */
#define KM_TEST_SERIES_MAX 32
#define KM_TEST_EVENTS_MAX 64
#define KM_TEST_EXPECT_MAX 64
/* A week at one pass a second; a test of more is a back-test. */
#define KM_TEST_PASSES_MAX 604800

struct km_test_series {
	size_t subject; /* whose */
	int resource;   /* a level of a service: enum km_resource; else KM_RESOURCE_MAX */
	int signal;     /* ... then enum km_sig */
	bool again;     /* its zero is the newest start of its service */
	struct km_course course;
};

enum km_test_event_kind {
	KM_TE_STARTED = 0,
	KM_TE_ENDED,
	KM_TE_OOM,
	KM_TE_SIGNALED,
	KM_TE_CONNECT_FAILED,
	KM_TE_LOSS,
	KM_TE_APPROVE,
	KM_TE_DENY,
	KM_TE_HEALTHY,
	KM_TE_UNHEALTHY,
	KM_TE_DEPLOYED,
	KM_TE_ENDPOINT_FAILS,
	KM_TE_ENDPOINT_ANSWERS,
	KM_TE_ENDPOINT_TRAFFIC,
	KM_TE_ENDPOINT_CHECKED,
	KM_TE_MAX
};

/* What has series and is no service. Among the subjects of a test it stands behind the services. */
struct km_test_entity {
	char name[KM_NAME_MAX]; /* "fs:/var", "web>10.0.0.5:5432", "host" */
	enum km_entity kind;
	size_t service; /* ENDPOINT: whose */
	size_t skip;    /* of the name that no record holds: "fs:" */
};

struct km_test_event {
	size_t service;
	enum km_test_event_kind kind;
	uint64_t at_ns;
	uint64_t count, every_ns;
	uint64_t back_ns; /* ENDED: comes back by itself behind it; 0: stays down */
	int how;          /* ENDED: enum km_end_how */
	uint64_t code;
	uint32_t signal;
	int error; /* CONNECT_FAILED: errno */
	char by[KMEND_COMM_LEN];
	char says[128];                      /* HEALTHY, UNHEALTHY */
	char endpoint[KM_ENDPOINT_NAME_MAX]; /* ENDPOINT_*; "": the first */
	uint32_t standby;                    /* ... 0: its primary */
	int traffic;                         /* ... goes there: enum km_traffic */
	uint64_t took_ns;                    /* ... by its check */
};

enum km_test_what {
	KM_TX_SPEAKS = 0,
	KM_TX_SILENT,
	KM_TX_DECISION,
	KM_TX_VERDICT,
	KM_TX_FORECAST,
};

struct km_test_expect {
	enum km_test_what what;
	unsigned int at_line; /* of the expectation, in the test's file */
	size_t subject;
	uint64_t from_ns, to_ns;
	bool always;    /* SPEAKS: at every look */
	bool counted;   /* COUNT was given */
	uint64_t count; /* exactly so many */
	uint64_t line;  /* SPEAKS: of the condition, 0 any */
	int answer;     /* DECISION: enum km_answer */
	int verb;       /* ... -1 any, and so the next three */
	int guard;
	int event;
	uint64_t step; /* ... 1 is the first, 0 any */
	uint64_t attempt;
	int verdict;
	int forecast;
};

struct km_test {
	char name[KM_RULE_TEXT_MAX];
	unsigned int line;
	const struct km_service_def *service[KM_WORLD_SERVICES_MAX]; /* the config's, as written */
	bool down[KM_WORLD_SERVICES_MAX];
	size_t service_count;
	struct km_test_entity *entity; /* owned: what is no service, in the order of its use */
	size_t entity_count;
	struct km_config *config; /* owned, and so the next two */
	char *config_text;
	char *policy_text;
	int mode;                /* enum km_mode; -1: the rule's */
	int acts;                /* enum km_outcome_state; -1: the actor never answers */
	char trace[KM_PATH_MAX]; /* of a recorded host; "": the test makes one */
	uint64_t every_ns, until_ns;
	uint64_t clock_ns;             /* wall-clock time at time 0 */
	struct km_test_series *series; /* owned, and so the next two */
	struct km_test_event *event;
	struct km_test_expect *expect;
	size_t series_count, event_count, expect_count;
	bool positive, negative;
};

/* Name of the I-th subject. */
const char *km_test_subject(const struct km_test *t, size_t i);

struct km_tests {
	struct km_test *test; /* owned */
	size_t count;
};

/* For the rule R, whose scope gives a service its name where a test names none. -EBADMSG with
 * *ERR. */
int km_tests_compile(const struct km_rule *r, const struct km_rule_text *in, struct km_error *err,
                     struct km_tests **ret);
struct km_tests *km_tests_free(struct km_tests *t);
KM_DEFINE_FREEP(struct km_tests, km_tests_free)

/* What the conditions of a rule were seen to say over all its tests: a bit for each enum km_truth.
 */
struct km_coverage {
	uint8_t when[KM_CONDITIONS_MAX];
	uint8_t unless[KM_CONDITIONS_MAX];
};

struct km_test_result {
	bool passed;
	unsigned int line; /* of the expectation that did not hold */
	char what[512];    /* ... what was there instead */
};

struct km_test_rule {
	const struct km_rule *rule;
	const char *text; /* of its file, NUL-terminated */
};

/* 0 with *RET, whether it passed or not; -EBADMSG: the test could not be run, *RET says why;
 * -ENOMEM. */
int km_test_run(const struct km_test_rule *r, const struct km_test *t, struct km_coverage *cover,
                struct km_test_result *ret);

#endif
