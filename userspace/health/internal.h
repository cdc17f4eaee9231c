/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the prober share; nobody else includes it but its tests. */
#ifndef KM_HEALTH_INTERNAL_H
#define KM_HEALTH_INTERNAL_H

#include "health/prober.h"
#include "loop/loop.h"

/* Checks at work at one time: what all of them together may cost (descriptors, memory, threads of
 * other people's servers). The others wait for their turn. */
#define KM_PROBES_MAX 256
/* Bytes of an answer that are looked at; the rest is not read. */
#define KM_ANSWER_MAX 65536
/* What is said again although nothing changed, so that the engine knows it is still so. */
#define KM_TELL_AGAIN_NS (10 * KM_NS_PER_S)
#define KM_REASON_MAX    128

/* How one attempt went. */
enum km_probe_end {
	KM_PROBE_GOOD = 0,
	KM_PROBE_BAD,
	KM_PROBE_NOT_MEASURED, /* nothing of the service's: we could not look */
	KM_PROBE_END_MAX
};

struct km_probe_result {
	enum km_probe_end end;
	char reason[KM_REASON_MAX]; /* for people, in our own words */
	uint64_t used_s, life_s;    /* of a certificate; life_s 0: none was seen */
};

/* What repeated attempts say: pure. */
struct km_probe_state {
	enum km_health health;
	uint32_t streak; /* results in a row that speak against it */
};

/* True if the state changed. */
bool km_probe_count(struct km_probe_state *s, enum km_probe_end end,
                    const struct km_health_check *def);
/* First start of a check at or after NOW: a place of its own within each period, from its name. */
uint64_t km_probe_first_ns(const char *service, const char *check, uint64_t every_ns,
                           uint64_t now_ns);
uint64_t km_probe_next_ns(uint64_t last_ns, uint64_t every_ns, uint64_t now_ns);

struct km_prober;
struct km_check;

/* One way to check. begin() either answers at once by km_check_done() or lets the loop do so later;
 * end() gives everything back, also in the middle. */
struct km_probe_kind {
	void (*begin)(struct km_prober *p, struct km_check *c);
	void (*end)(struct km_prober *p, struct km_check *c);
};

extern const struct km_probe_kind km_probe_kinds[KM_CHECK_KIND_MAX];

enum km_check_phase {
	KM_CHECK_IDLE = 0, /* at_ns: its next start */
	KM_CHECK_WAITING,  /* for a place among those at work */
	KM_CHECK_RUNNING,  /* at_ns: its deadline */
};

struct km_check {
	const struct km_service_def *service;
	const struct km_health_check *def;
	enum km_check_phase phase;
	uint64_t at_ns;
	uint64_t start_ns;     /* of its period */
	uint64_t begun_ns;     /* of the attempt */
	size_t heap;           /* place in the prober's heap */
	struct km_check *next; /* among the waiting */
	void *probe;           /* of its kind while RUNNING, NULL none */
	struct km_probe_state state;
	struct km_probe_result last;
	uint64_t latency_ns;
	uint64_t told_ns; /* 0: the engine has not heard the newest state */
	int leftover_fd;  /* exec: pidfd of one that was killed and is not reaped; -1: none */
	uint64_t beat_ns; /* watchdog: last sign of life, or when we began to listen */
	bool asked;       /* by the engine: one failure is enough, something else speaks for it */
	bool trigger;     /* watchdog: the service itself said that it failed */
};

struct km_http; /* http.c */

struct km_prober {
	const struct km_prober_opts *opts;
	struct km_config *own;          /* read anew; NULL: that of the start is in force */
	const struct km_config *config; /* in force */
	struct km_loop *loop;
	int timer_fd;
	uint64_t timer_ns; /* what it is set to */
	bool serving;      /* the timer's own round is under way */
	struct km_check *checks;
	struct km_check **heap; /* by at_ns, idle and running ones */
	size_t check_count, heap_count, running;
	struct km_check *waiting_first, *waiting_last;
	struct km_http *http;
};

/* prober.c: the attempt is over; C may begin anew later. */
void km_check_done(struct km_prober *p, struct km_check *c, enum km_probe_end end, const char *fmt,
                   ...) __attribute__((format(printf, 4, 5)));

/* heap.c */
void km_heap_put(struct km_prober *p, struct km_check *c);
void km_heap_drop(struct km_prober *p, struct km_check *c);
/* C->at_ns has changed. */
void km_heap_move(struct km_prober *p, struct km_check *c);

/* talk.c: what is sent and what must come; pure. */
#define KM_TALK_SEND_MAX 512
#define KM_TALK_HEAR_MAX 512

struct km_talk {
	size_t send_len;
	unsigned char send[KM_TALK_SEND_MAX];
};

void km_talk_begin(const struct km_health_check *def, struct km_talk *ret);
/* 0: more is needed; 1: *RET says how it went. LEN bytes of the answer, at most KM_TALK_HEAR_MAX.
 */
int km_talk_hear(const struct km_health_check *def, const struct km_talk *t,
                 const unsigned char *answer, size_t len, struct km_probe_result *ret);

/* The kinds. */
void km_socket_begin(struct km_prober *p, struct km_check *c);
void km_socket_end(struct km_prober *p, struct km_check *c);
void km_http_begin(struct km_prober *p, struct km_check *c);
void km_http_end(struct km_prober *p, struct km_check *c);
void km_http_free(struct km_prober *p);
void km_exec_begin(struct km_prober *p, struct km_check *c);
void km_exec_end(struct km_prober *p, struct km_check *c);
void km_file_begin(struct km_prober *p, struct km_check *c);
void km_watchdog_begin(struct km_prober *p, struct km_check *c);
int km_watchdog_listen(struct km_prober *p);
/* Service that the process of TGID belongs to by its cgroup's PATH; NULL none. Pure. */
const char *km_watchdog_service(const char *cgroup_text, char *ret, size_t size);

#endif
