/* SPDX-License-Identifier: Apache-2.0 */
/* The fourth process: it talks to the services, and so to whatever answers in their place. It holds
 * no right and no secret; all that it can say is how a check went, and phase 2 looks at that as at
 * every other record. */
#ifndef KM_PROBER_H
#define KM_PROBER_H

#include "base/config.h"
#include "base/message.h"
#include "collect/raw.h"

struct km_prober_opts {
	const struct km_config *config; /* of the start */
	int engine_sock;                /* SOCK_SEQPACKET; its end ends the prober */
	int notify_fd;                  /* datagrams of sd_notify with SO_PASSCRED; -1: none */
	/* After SIGHUP: the configuration anew, *RET for the prober to free. */
	int (*read_config)(void *userdata, struct km_config **ret);
	void *userdata;
	int cgroup_dir; /* where exec checks get cgroups; -1: they do not run */
};

/* Whether anything is to be checked. */
bool km_prober_needed(const struct km_config *c);
/* Until the engine is gone or SIGTERM; 0 or negative errno. */
int km_prober_run(const struct km_prober_opts *opts);

#define KM_PROBER_VERSION 1

enum km_prober_message_type {
	KM_PROBER_RESULT = 1, /* to the engine */
	KM_PROBER_ASK = 2,    /* from the engine: look now, something points at a failure */
};

struct km_prober_result {
	struct km_message_hdr hdr;
	struct km_raw_health raw; /* its time is the engine's to fill in */
};

struct km_prober_ask {
	struct km_message_hdr hdr;
	char service[KM_NAME_MAX];
	char check[KM_CHECK_NAME_MAX];
};

#endif
