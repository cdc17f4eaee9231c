/* SPDX-License-Identifier: Apache-2.0 */
/* What a verb does to the host, and how it is taken back: descriptors in, an effect out. Nothing
 * here knows of journals, policies or engines; the actor asks all that before.
 *
 * An effect that can be taken back is a value that is read, set, and set back: at most two numbers,
 * so that the record of it fits into the journal before anything is done, and what came of an act
 * that was interrupted can be seen by reading again. */
#ifndef KM_EFFECT_H
#define KM_EFFECT_H

#include "base/verb.h"

/* What is acted on; the caller's descriptors, -1 where an effect does not need it. */
struct km_target {
	int pidfd;     /* of TGID, which it holds */
	uint32_t tgid; /* main process */
	int dir;       /* its directory in the hierarchy of the effect's controller */
	bool v2;       /* which is cgroup v2 */
};

static inline void km_target_close(struct km_target *t)
{
	km_close(&t->pidfd);
	km_close(&t->dir);
}

struct km_effect {
	enum km_verb verb;
	const char *object;     /* "": it has none */
	const char *controller; /* whose directory it needs, "" of cgroup v2, NULL: a process */
	const char *name;       /* for people */
	/* The value as it is. -EOPNOTSUPP: this host has none. */
	int (*read)(const struct km_target *t, uint64_t now[2]);
	/* RET, which holds the value as it was, becomes what is to be set. -ENOSPC: there is
	 * nothing to give, or to take. */
	int (*want)(const struct km_verb_args *args, uint64_t ret[2]);
	int (*write)(const struct km_target *t, const uint64_t v[2]);
};

/* NULL: VERB on OBJECT is nothing that can be taken back. */
const struct km_effect *km_effect(enum km_verb verb, const char *object);
/* The value as it is and as it would be. BEFORE: what an earlier act set there, NULL: none; where
 * it still stands, what was before that one is what is gone back to. */
int km_effect_plan(const struct km_effect *e, const struct km_target *t,
                   const struct km_verb_args *args, const struct km_undo *before,
                   struct km_undo *ret);
/* What it is for people: "CPU quota none to 50000", or why it failed with ERROR. */
void km_effect_tell(const struct km_effect *e, const struct km_undo *u, int error, char *out,
                    size_t size);

enum km_effect_is {
	KM_EFFECT_IS_SET,   /* as we set it */
	KM_EFFECT_IS_BACK,  /* as it was before */
	KM_EFFECT_IS_OTHER, /* somebody else set it meanwhile */
};
/* Or a negative errno. */
int km_effect_look(const struct km_effect *e, const struct km_target *t, const struct km_undo *u);
/* Sets it back where it still is as we set it: else it is somebody else's by now, and stays. What
 * was found, or a negative errno. */
int km_effect_undo(const struct km_effect *e, const struct km_target *t, const struct km_undo *u);

/* What cannot be taken back. */
int km_effect_signal(const struct km_target *t, int signal);
/* SIGKILL to all in and below the cgroup DIR; how many were there, 0: nobody could count. -EIO and
 * others: some may live on. kill.c. */
int km_effect_kill(int dir);
/* The latter where T has a directory, else the signal; OUT says for people what was done. */
int km_effect_strike(const struct km_target *t, int signal, char *out, size_t size);

/* The tables by family: rows end with a verb of KM_VERB_NONE. */
extern const struct km_effect km_effects_process[]; /* process.c */
extern const struct km_effect km_effects_cgroup[];  /* cgroup.c */
extern const struct km_effect km_effects_io[];      /* io.c */

#endif
