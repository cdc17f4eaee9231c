/* SPDX-License-Identifier: Apache-2.0 */
/* policy/guardrails.json: what bounds every rule on this host. A rule narrows it, never widens it.
 * Enforced twice: by phase 7 and, from its own copy, by the actor. */
#ifndef KM_POLICY_H
#define KM_POLICY_H

#include "base/base.h"
#include "base/calendar.h"
#include "base/config.h"
#include "base/json.h"
#include "base/verb.h"

/* At most COUNT acts within the last PER_NS. */
struct km_budget {
	uint32_t count;
	uint64_t per_ns;
};

/* In each of the two lists; every decision matches all of them. */
#define KM_POLICY_GLOBS_MAX 256
/* Acts in one budget: the actor keeps the time of each. */
#define KM_POLICY_BUDGET_MAX 1000
/* More at one time is no repair but a restart of the host. */
#define KM_POLICY_CONCURRENT_MAX 64

/* Files that people have reviewed: those below ROOT whose names, relative to it, match one of
 * PATTERNS. No link is followed and no other filesystem entered. */
struct km_files {
	char name[KM_OBJECT_MAX];
	char root[KM_PATH_MAX];
	char **patterns;
	bool may[KM_VERB_MAX]; /* rotate, truncate, free_space */
	uint64_t older_ns;     /* free_space: not written for so long */
	uint64_t count, bytes; /* free_space: at most so much at once */
};

/* A program that people have reviewed. */
struct km_program {
	char name[KM_OBJECT_MAX];
	char **argv;
	char user[64]; /* empty: root */
};

/* Times at which people work on services: nothing is done to those that match one of SERVICES. */
struct km_maintenance {
	char **services;
	struct km_window window;
};

/* Of each in a policy: as much as people review. */
#define KM_POLICY_LISTS_MAX 64
/* Patterns of one list of files. */
#define KM_FILES_PATTERNS_MAX 16

struct km_policy {
	bool verbs[KM_VERB_MAX]; /* which are allowed at all; default: notify only */
	char **services; /* globs of names that may be acted on, NULL-terminated; default: none */
	char **protect;  /* globs added to the built-in protected list */
	struct km_budget per_service; /* default 5 in 10 min */
	struct km_budget per_host;    /* default 20 in 10 min */
	uint32_t concurrent;          /* acts at one time, default 4 */
	uint32_t shadow_ppm; /* of repairs that begin with nothing being done; default none */
	bool pause;          /* the kill switch: no act at all but notify */
	/* Public key that rules are signed with, an absolute path; empty: none is looked at. */
	char signature_key[KM_PATH_MAX];
	bool signature_required; /* a rule without one is refused */
	struct km_files *files;
	size_t file_count;
	struct km_program *commands;
	size_t command_count;
	struct km_maintenance *maintenance;
	size_t maintenance_count;
};

/* TEXT NULL: the defaults (only notify). -EBADMSG with *ERR. */
int km_policy_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_policy **ret);
struct km_policy *km_policy_free(struct km_policy *p);
KM_DEFINE_FREEP(struct km_policy, km_policy_free)

/* By name; NULL: there is none. */
const struct km_files *km_policy_files(const struct km_policy *p, const char *name);
const struct km_program *km_policy_program(const struct km_policy *p, const char *name);
/* policy_lists.c: the members "files", "commands", "maintenance" (NULL: there is none) into P. */
struct km_policy_lists {
	const cJSON *files, *commands, *maintenance;
};
int km_policy_read_lists(struct km_json *doc, const struct km_policy_lists *lists,
                         struct km_error *err, struct km_policy *p);
void km_policy_free_lists(struct km_policy *p);

/* Built in and not to be switched off: init and the system manager, kmend itself, ssh, the message
 * bus, logind, journald, udev, the network, the getty and console units, by the exact names in
 * policy.c, with or without ".service"; then the globs. */
bool km_policy_protects(const struct km_policy *p, const char *service);
/* Verb and service name allowed (pause and protection included). Budgets are the caller's. Notify
 * changes nothing and is always allowed. */
bool km_policy_allows(const struct km_policy *p, enum km_verb verb, const char *service);
/* The same, and neither the unit, the cgroup, the program nor the pidfile's name behind the service
 * is protected: a harmless name in the configuration does not open what is protected. */
bool km_policy_allows_def(const struct km_policy *p, enum km_verb verb,
                          const struct km_service_def *def);
/* People work on it at that time. First starts are not meant. */
bool km_policy_maintains(const struct km_policy *p, const char *service, uint64_t realtime_s);

#endif
