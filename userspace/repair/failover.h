/* SPDX-License-Identifier: Apache-2.0 */
/* New connections of a service that ask for an endpoint's primary go to one of its standbys, and
 * back: one km_reroute for each endpoint, found again after a restart by its pins, which are looked
 * at and believed rather than anything that was written down. Mechanism only: who may do it, and
 * when, is the caller's.
 *
 * Leases. A standby that only one host at a time may use (a database that takes writes) needs
 * somebody who grants that; there is no such party yet. This is where one would be asked: a place
 * of an endpoint that names a lease is routed to only while km_failover_request carries the lease's
 * number and its end, the route then ends with it (as it does today with this process where it does
 * not outlive it), and the actor refuses what comes without. Nothing above has to change: a lease
 * is one more word of the definition and one more argument of the step. */
#ifndef KM_FAILOVER_H
#define KM_FAILOVER_H

#include "collect/raw.h"
#include "repair/place.h"

/* What becomes of it when kmend stops or dies: in a step's amount. */
enum km_failover_end {
	KM_FAILOVER_KEEP =
		1, /* it stays, until kmend is back and takes it back, or the cgroup goes */
	KM_FAILOVER_UNDO = 2, /* it ends with us */
};
#define KM_FAILOVER_END(amount)     ((amount)&0xff)
#define KM_FAILOVER_STANDBY(amount) ((amount) >> 8) /* from 1; 0: there is none that may */

/* Of KMEND_SHARE_ALL new connections those that still go to the standby, when a share of AMOUNT
 * parts per million is to go to the primary: any is some. */
static inline uint32_t km_failover_share(uint64_t amount)
{
	uint64_t primary = amount * KMEND_SHARE_ALL / 1000000;

	return KMEND_SHARE_ALL - (uint32_t)(primary ? primary : 1);
}

struct km_failovers;

/* How an endpoint stands: said of each one at the start, and whenever it changes. */
typedef void (*km_failover_say)(void *userdata, const struct km_raw_endpoint *e);

/* Takes over what was left; what no definition accounts for any more ends. CONFIG must outlive it.
 * PIN_DIR on a bpffs, NULL: nothing can outlive us. */
int km_failovers_new(const struct km_config *config, const char *pin_dir, km_failover_say say,
                     void *userdata, struct km_failovers **ret);
/* What does not outlive us ends. */
struct km_failovers *km_failovers_free(struct km_failovers *f);
KM_DEFINE_FREEP(struct km_failovers, km_failovers_free)

/* A value: the caller's texts and descriptors are looked at during the call only. */
struct km_failover_request {
	enum km_verb verb;     /* KM_FAIL_OVER or KM_FAIL_BACK */
	uint64_t amount;       /* of the step */
	const char *endpoint;  /* its name */
	struct km_place place; /* of the service; without a definition there are no endpoints */
	uint32_t tgid;         /* its main process: in whose cgroup and network namespace */
};

/* Failing over: new connections are routed, those that stand to where they went before are ended.
 * Failing back: of a thousand new ones as many as asked for go to the primary again, old ones
 * stay. DETAIL says for people what was done, or why not. -ENOENT: no such endpoint; -EHOSTDOWN: no
 * standby that may take over; -ENOTUNIQ: the service shares its cgroup; -EOPNOTSUPP: to outlive us,
 * or at all, is not possible here; -EALREADY: nothing is failed over. */
int km_failover_do(struct km_failovers *f, struct km_failover_request q, char *detail, size_t size);
/* A service was started anew, perhaps in another cgroup: its routes go with it. */
void km_failover_follow(struct km_failovers *f, struct km_failover_request q);
/* What came of Q, which was interrupted: all is as it would have left it, or not. */
enum km_outcome_state km_failover_look(const struct km_failovers *f, struct km_failover_request q);

#endif
