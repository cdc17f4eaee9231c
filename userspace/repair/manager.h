/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's manager: one connection for all, opened when it is needed; replies come through the
 * loop, and whoever waits for one has a deadline of its own. */
#ifndef KM_MANAGER_H
#define KM_MANAGER_H

#include <systemd/sd-bus.h>

#include "loop/loop.h"

struct km_manager;

/* One unit's talk with the manager. Zeroed by its owner, who fills in the first three; ended with
 * km_talk_end(). */
struct km_talk {
	const char *unit; /* outlives the talk */
	const struct km_talk_events *on;
	void *userdata;
	sd_bus_slot *slot;
	char job[128]; /* object path of the job that is waited for, "": none */
	struct km_talk *next;
	bool listed; /* among those that hear of jobs */
};

/* What is heard. Each may end its talk, or ask the next thing. */
struct km_talk_events {
	/* R < 0: the manager does not tell. */
	void (*invocation)(void *userdata, int r, const uint8_t id[16]);
	/* 0: the job is under way. -ENOTCONN: nobody knows. WHY: the manager's reason, or ours. */
	void (*called)(void *userdata, int r, const char *why);
	/* The job is over: "done" or why not. */
	void (*over)(void *userdata, const char *result);
	/* PENDING: a job is under way, and its end will be heard. */
	void (*found)(void *userdata, int r, bool pending, bool stopped);
	/* The connection broke while a job was waited for. */
	void (*broken)(void *userdata);
};

int km_manager_new(struct km_loop *loop, struct km_manager **ret);
struct km_manager *km_manager_free(struct km_manager *m);
/* The connection is given up; the next question opens another. */
void km_manager_break(struct km_manager *m);
/* After a question that no reply led to: what is there is sent and taken. */
void km_manager_go_on(struct km_manager *m);

/* Each asks and returns at once; 0, or negative errno and nothing will be heard. */
int km_talk_invocation(struct km_manager *m, struct km_talk *t);
int km_talk_call(struct km_manager *m, struct km_talk *t, const char *method);
int km_talk_list(struct km_manager *m, struct km_talk *t);
void km_talk_end(struct km_manager *m, struct km_talk *t);

#endif
