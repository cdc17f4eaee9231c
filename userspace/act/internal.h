/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. An act's life: checked (request.c), begun (verbs.c), carried
 * on by events (command.c, unit.c) or its deadline, finished (actor.c). */
#ifndef KM_ACT_INTERNAL_H
#define KM_ACT_INTERNAL_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "act/actor.h"
#include "base/journal.h"
#include "base/budget.h"
#include "base/cgroup.h"
#include "base/identity.h"
#include "base/spawn.h"
#include "repair/failover.h"
#include "repair/lent.h"
#include "repair/manager.h"
#include "repair/place.h"
#include "repair/works.h"

/* Acts at work at once: more would make a storm out of one cause; each service has one at most. */
#define KM_ACTS_MAX 4
/* Intent, start, outcome, and the outcome again after a failed sync. */
#define KM_ACT_RECORDS 4
/* SIGKILL again to what was forked while its parent was killed. */
#define KM_KILL_PERIOD_NS (100 * KM_NS_PER_MS)
/* Waiting for the engine to read: adoption says one outcome for each service, then acts. */
#define KM_ACT_QUEUE_BYTES ((KM_SERVICES_MAX + 64) * 1024)
/* For the manager's answer about an interrupted act, and for the killed to be gone. */
#define KM_RECOVER_NS (5 * KM_NS_PER_S)

/* The acts. */

struct km_child {
	struct km_actor *actor;
	const struct km_service_def *def;
	struct km_spawn spawn;  /* prepared at start: nothing slow between request and execve() */
	struct km_spawned next; /* waits for the intent, and for the end of the one before */
	uint64_t cgroup_id;
	struct km_act *act; /* at work on it, or NULL */
	int pidfd;
	uint32_t tgid; /* of the main process, 0: none */
	uint64_t start_ns;
	bool running; /* past its execve() */
	bool prepared;
	bool started;       /* in this boot: the first start is not a repair */
	uint32_t last_tgid; /* journal: last STARTED of this boot */
	uint64_t last_start_ns;
};

enum km_act_phase {
	KM_ACT_FREE = 0,
	KM_ACT_GONE,    /* command: waits until main process and cgroup are gone */
	KM_ACT_EXEC,    /* command: waits for execve() */
	KM_ACT_ASKING,  /* unit: which invocation is this; nothing is journalled yet */
	KM_ACT_CALLING, /* unit: the job is asked for */
	KM_ACT_JOB,     /* unit: waits for the end of the job */
	KM_ACT_LOOKING, /* unit: interrupted; what has become of it */
	KM_ACT_WORKING, /* job: looks, waits for its intent, or is at work */
};

struct km_act {
	struct km_actor *actor;
	enum km_act_phase phase;
	/* What is journalled: verb, service, rule, reason; tgid and start_ns of the process that is
	 * acted on, later of the new main process; systemd's InvocationID before. */
	struct km_journal_record rec;
	const struct km_service_def *def; /* NULL: a unit without definition */
	struct km_child *child;           /* commands */
	const char *unit;                 /* units: its name */
	void (*begin)(struct km_act *act);
	bool intended;     /* in the journal: must get its outcome there */
	bool recovered;    /* found open in the journal at start */
	bool quiet;        /* said, not journalled */
	bool looked;       /* units: asked once what has become of it */
	uint8_t found[16]; /* units: InvocationID after it was interrupted */
	uint64_t deadline_ns;
	uint64_t look_ns; /* commands: when to look again, and kill what does not end */
	int fd;           /* commands: what is waited for: cgroup.events, or the child's report */
	struct km_talk talk; /* units */
	struct km_job job;   /* jobs; its fd is added to the loop */
};

/* Requests that wait for a free act: the first starts of a host full of commands. */
#define KM_WAITING_MAX 512
/* Longer, and what was decided may not hold any more: refused. */
#define KM_WAITING_NS (5 * KM_NS_PER_S)

struct km_waiting {
	struct km_act_request request;
	uint64_t since_ns;
};

struct km_actor {
	struct km_waiting waiting[KM_WAITING_MAX]; /* a ring, oldest first */
	size_t waiting_at, waiting_count;
	struct km_actor_opts o;
	struct km_chain *journal;
	struct km_budgets budgets;
	struct km_budgets said; /* refusals and notices */
	uint64_t last_intent_id;
	uint64_t engine_seen_ns;
	bool stats_wanted;
	struct km_act act[KM_ACTS_MAX];
	struct km_child *child;
	size_t child_count;
	struct km_lents lents;
	struct km_failovers *failovers;
	struct km_buf *queue; /* messages that the engine did not take yet */
	int timer_fd;
	bool recovered; /* all that was open is said or being asked for */
	bool ready;
	bool lost; /* a message was dropped or a record not journalled */
	struct km_manager *manager;
};

/* actor.c */
void km_actor_send(struct km_actor *a, const void *msg, size_t size);
/* R as what the engine is told. */
void km_actor_say(struct km_actor *a, const struct km_journal_record *r, bool recovered);
void km_actor_rearm(struct km_actor *a);
/* READY, once nothing is left to recover. */
void km_actor_ready(struct km_actor *a);
/* Lets CB hear of EVENTS on FD, which is ACT's from now on; the one before is closed. FD -1:
 * none. */
void km_act_wait(struct km_act *act, int fd, uint32_t events, km_loop_cb cb);
/* Journals the intent: in one step or, for what can be got ready meanwhile, in two; nothing takes
 * effect before act->intended. On failure the act is refused and over. */
int km_act_intend(struct km_act *act);
int km_act_intend_begin(struct km_act *act);
int km_act_intend_end(struct km_act *act);
/* Journals and says the outcome (DETAIL NULL: the request's reason); the act is over, its memory
 * free for the next. */
void km_act_finish(struct km_act *act, enum km_outcome_state state, int error, const char *detail);

/* request.c */
void km_request_receive(struct km_actor *a, const void *msg, size_t size, bool stale);
/* Fills in def, child and unit from the service's name. */
void km_act_find(struct km_act *act);

/* verbs.c: one row for each verb; begin functions by kind of service, NULL: not for this kind. */
struct km_act_verb {
	bool counted; /* against the budgets; needs a service that is known */
	void (*command)(struct km_act *act);
	void (*unit)(struct km_act *act);
	void (*process)(struct km_act *act); /* of the service, whatever its kind; over at return */
	void (*job)(struct km_act *act);     /* likewise; takes its time */
	const char *method;                  /* of org.freedesktop.systemd1.Manager */
};
extern const struct km_act_verb km_act_verbs[KM_VERB_MAX];
/* The process that ACT names (none: the main process) as a pidfd, if it is one of the service's. */
int km_act_process(struct km_act *act, int *ret_pidfd);

/* Which service it is, as repair/ wants it. */
static inline struct km_place km_act_place(const struct km_act *act)
{
	return (struct km_place){ .def = act->def,
		                  .unit = act->unit,
		                  .command_dir = act->child ? act->child->spawn.cgroup_dir : -1 };
}

static inline struct km_failover_request km_act_failover(const struct km_act *act)
{
	return (struct km_failover_request){ (enum km_verb)act->rec.verb, act->rec.amount,
		                             act->rec.object, km_act_place(act), act->rec.tgid };
}

/* job.c: the begin function, and the deadline. */
void km_job_act(struct km_act *act);
void km_job_overdue(struct km_act *act);

/* lend.c: begin functions of what is set, and of what takes it back. */
void km_lend_begin(struct km_act *act);
void km_lend_return(struct km_act *act);
/* What came of one that was interrupted. */
void km_lend_judge(struct km_act *act);
/* R, an intent or its outcome, took effect. */
void km_lend_note(struct km_actor *a, const struct km_journal_record *r);
/* What has had its time goes back. */
void km_lend_expire(struct km_actor *a);

/* command.c */
int km_command_prepare(struct km_child *c);
/* Leaves the processes as they are. */
void km_command_free(struct km_child *c);
struct km_child *km_command_child(struct km_actor *a, const char *service);
void km_command_begin(struct km_act *act);
/* Goes on as far as it can now: after an exit, a cgroup event or a deadline. */
void km_command_advance(struct km_act *act);
int km_command_watch(struct km_child *c, uint32_t tgid, uint64_t start_ns, int pidfd);
/* STARTED into the journal: adoption after a restart of the actor begins with it. */
void km_command_started(struct km_child *c, uint64_t intent_id);

/* unit.c */
void km_unit_begin(struct km_act *act);
void km_unit_look(struct km_act *act);
void km_unit_overdue(struct km_act *act);

/* recover.c: opens the journal, closes open intents, adopts or misses commands, and says it. */
int km_recover(struct km_actor *a);

#endif
