/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an actor with a journal, a configuration and a policy of its own, and the engine's end
 * of its socket. */
#ifndef KM_TEST_ACTOR_WORLD_H
#define KM_TEST_ACTOR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "act/actor.h"
#include "base/journal.h"
#include "lib/spawn.h"

#define WORLD_MS 10000

struct world {
	char dir[64];
	int dir_fd;
	struct km_config *config;
	struct km_policy *policy;
	struct km_actor_opts opts;
	struct km_loop *loop;
	struct km_actor *actor;
	int engine; /* our end */
	int actors; /* its end */
	uint64_t next_id;
	/* of the last message of each kind */
	struct km_raw_outcome outcome;
	struct km_raw_process child;
	unsigned int outcomes, children, readies;
	uint64_t ready_id;
};

static inline void world_compile(struct world *w, const char *config, const char *policy)
{
	struct km_error e = { 0 };

	if (km_config_compile(config, config ? strlen(config) : 0, "config", &e, &w->config) < 0 ||
	    km_policy_compile(policy, policy ? strlen(policy) : 0, "policy", &e, &w->policy) < 0)
		fail_msg("%s: %s", e.file, e.what);
}

static inline void world_new(struct world *w, const char *config, const char *policy)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%s/kmend-act.XXXXXX",
	         access("/run/out.d", F_OK) == 0 ? "/run/out.d" : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->dir_fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dir_fd >= 0);
	world_compile(w, config, policy);
	w->opts.config = w->config;
	w->opts.policy = w->policy;
	w->opts.journal_dir_fd = w->dir_fd;
	w->engine = w->actors = -1;
	w->next_id = 1;
}

static inline void world_sockets(struct world *w)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s),
	                 0);
	w->engine = s[0];
	w->actors = s[1];
	w->opts.engine_sock = s[1];
	w->outcomes = w->children = w->readies = 0;
	memset(&w->outcome, 0, sizeof(w->outcome));
}

/* The actor in this process. */
static inline void world_start(struct world *w)
{
	world_sockets(w);
	assert_int_equal(km_loop_new(&w->loop), 0);
	w->opts.loop = w->loop;
	assert_int_equal(km_actor_new(&w->opts, &w->actor), 0);
}

/* Ends the actor as a crash would: nothing is stopped. */
static inline void world_end(struct world *w)
{
	w->actor = km_actor_free(w->actor);
	w->loop = km_loop_free(w->loop);
	km_close(&w->engine);
	km_close(&w->actors);
}

static inline void world_free(struct world *w)
{
	char *argv[] = { "rm", "-rf", w->dir, NULL };
	char text[256];

	world_end(w);
	km_config_free(w->config);
	km_policy_free(w->policy);
	km_close(&w->dir_fd);
	test_run(argv, text, sizeof(text), WORLD_MS);
}

/* Takes what the actor says; true if there was something. */
static inline bool world_take(struct world *w)
{
	union {
		struct km_message_hdr hdr;
		struct km_act_outcome outcome;
		struct km_act_child child;
		struct km_act_endpoint endpoint;
		struct km_act_plain plain;
	} m;
	ssize_t n = km_message_recv(w->engine, &m, sizeof(m), NULL);

	if (n <= 0)
		return false;
	assert_int_equal(m.hdr.version, KM_ACT_VERSION);
	if (m.hdr.type == KM_ACT_OUTCOME) {
		assert_int_equal(n, sizeof(m.outcome));
		w->outcome = m.outcome.outcome;
		w->outcomes++;
	} else if (m.hdr.type == KM_ACT_CHILD) {
		w->child = m.child.process;
		w->children++;
	} else if (m.hdr.type != KM_ACT_ENDPOINT) {
		assert_int_equal(m.hdr.type, KM_ACT_READY);
		w->ready_id = m.plain.intent_id;
		w->readies++;
	}
	return true;
}

/* Lets time pass (the actor's turn, if it is in this process) until *COUNTER is at least WANTED. */
static inline bool world_until(struct world *w, const unsigned int *counter, unsigned int wanted)
{
	long end = test_now_ms() + WORLD_MS;

	while (*counter < wanted && test_now_ms() < end) {
		struct pollfd p = { .fd = w->engine, .events = POLLIN };

		if (w->loop)
			km_loop_once(w->loop, w->engine >= 0 ? 5 : 50);
		else
			poll(&p, 1, 50);
		while (*counter < wanted && world_take(w))
			;
	}
	return *counter >= wanted;
}

static inline struct km_act_request world_request(struct world *w, enum km_verb verb,
                                                  const char *service)
{
	struct km_act_request q = {
		.hdr = { KM_ACT_REQUEST, KM_ACT_VERSION, sizeof(q) },
		.intent_id = w->next_id++,
		.timeout_ns = 5 * KM_NS_PER_S,
		.verb = verb,
	};

	km_copy(q.service, sizeof(q.service), service);
	km_copy(q.rule, sizeof(q.rule), "test-rule");
	km_copy(q.reason, sizeof(q.reason), "because");
	return q;
}

static inline void world_send(struct world *w, const struct km_act_request *q)
{
	assert_int_equal(km_message_send(w->engine, q, sizeof(*q), -1), 0);
}

/* Sends Q and waits for the outcome of its intent. */
static inline enum km_outcome_state world_ask(struct world *w, const struct km_act_request *q)
{
	unsigned int before = w->outcomes;

	world_send(w, q);
	do {
		assert_true(world_until(w, &w->outcomes, ++before));
	} while (w->outcome.intent_id != q->intent_id);
	if (w->outcome.state == KM_OUT_FAILED)
		print_message("failed: %s (%d)\n", w->outcome.detail, w->outcome.error);
	return w->outcome.state;
}

static inline enum km_outcome_state world_do(struct world *w, enum km_verb verb,
                                             const char *service)
{
	struct km_act_request q = world_request(w, verb, service);

	return world_ask(w, &q);
}

/* How many lines FILE has, 0 if there is none. */
static inline unsigned int world_lines(const char *file)
{
	FILE *f = fopen(file, "re");
	unsigned int n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static inline void world_wait_lines(const char *file, unsigned int wanted)
{
	long end = test_now_ms() + WORLD_MS;

	while (world_lines(file) < wanted && test_now_ms() < end)
		poll(NULL, 0, 1);
	assert_true(world_lines(file) >= wanted);
}

#endif
