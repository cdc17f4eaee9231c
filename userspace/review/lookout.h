/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings that one rule's text alone does not show: other rules, tests, the day, the host. */
#ifndef KM_LOOKOUT_H
#define KM_LOOKOUT_H

#include "match/rule.h"

typedef void (*km_lookout_ear)(void *userdata, const struct km_error *warning);

/* Names of the services of a host; empty: nothing is known of it. */
struct km_host_services {
	char **name; /* owned, NULL-terminated */
	size_t count;
};

/* Units that run on this host and the services of the configuration at CONFIG (NULL or not there:
 * none). -ENOMEM. */
int km_host_services_read(const char *config, struct km_host_services *ret);
void km_host_services_clear(struct km_host_services *h);

/* A rule that never gets its turn because another of RULES[COUNT] always acts first. */
void km_lookout_shadowed(struct km_rule *const *rules, size_t count, km_lookout_ear ear,
                         void *userdata);
/* Steps that POLICY does not know or does not let it take: files and commands that it does not
 * name, and verbs that a rule that may act has and the policy has not. */
void km_lookout_policy(const struct km_rule *r, const char *file, const struct km_policy *policy,
                       km_lookout_ear ear, void *userdata);
/* Expired at NOW_S; may act, or calls itself stable, and has no test beside its FILE; covers none
 * or all of HOST's services (NULL: not asked). */
void km_lookout_rule(const struct km_rule *r, const char *file, uint64_t now_s,
                     const struct km_host_services *host, km_lookout_ear ear, void *userdata);

#endif
